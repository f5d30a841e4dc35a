// Files in the list of messages: a card for each, with how far it is and what can be done.

import { Incoming, PROTOCOL, send } from "./files.js";
import { announce, byId, element, icon, size } from "./view.js";

/** Files of one call that are on their way at a time. */
const MAX_RUNNING = 8;
/** Channels for files that the other side has open at a time; further ones are closed. */
const MAX_CHANNELS = 64;

export class Transfers {
  #chat;
  #call = null;
  #incoming = new Map();
  #running = new Set();

  constructor(chat) {
    this.#chat = chat;
    byId("attach").append(icon("clip"));
    byId("attach").addEventListener("click", () => byId("pick").click());
    byId("pick").addEventListener("change", () => {
      this.sendAll(byId("pick").files);
      byId("pick").value = "";
    });
    this.#listenForDrops();
  }

  /** A call is up, or over (null). */
  of(call) {
    this.#call = call;
    if (call) return;
    for (const abort of this.#running) abort.abort();
    for (const file of this.#incoming.values()) file.closed();
    this.#incoming.clear();
    byId("drop").hidden = true;
  }

  /** Whether a message of this channel is part of a file. */
  takes(event) {
    const channel = event.target;
    if (channel.protocol !== PROTOCOL) return false;
    if (event.type === "close") {
      this.#incoming.get(channel)?.closed();
      this.#incoming.delete(channel);
    } else {
      if (!this.#incoming.has(channel)) this.#begin(channel);
      if (event.type === "message") this.#incoming.get(channel)?.take(event.data);
    }
    return true;
  }

  sendAll(files) {
    for (const file of files) this.#send(file);
  }

  async #send(file) {
    const call = this.#call;
    if (!call || this.#running.size >= MAX_RUNNING) return;
    const abort = new AbortController();
    this.#running.add(abort);
    const card = new Card(this.#chat, { name: file.name, size: file.size, mine: true });
    card.say(`Waiting for ${call.name} to accept`);
    card.actions({ Cancel: () => abort.abort() });
    try {
      const sha256 = await send(call.target, file, (sent) => card.progress(sent), abort.signal);
      card.done(`Sent, ${size(file.size)}`, sha256);
    } catch (error) {
      card.failed(`Not sent: ${error.message}`);
    } finally {
      this.#running.delete(abort);
    }
  }

  #begin(channel) {
    if (this.#incoming.size >= MAX_CHANNELS) return channel.close();
    const file = new Incoming(channel);
    this.#incoming.set(channel, file);
    let card = null;
    file.addEventListener("offer", () => {
      const running = [...this.#incoming.values()].filter((other) => other.size && !other.blob && !other.error);
      if (running.length > MAX_RUNNING) return file.refuse("too many files at a time");
      card = new Card(this.#chat, { name: file.name, size: file.size, mine: false, by: this.#call?.name });
      announce(`${this.#call?.name ?? "The other side"} wants to send the file ${file.name}`);
      card.say(`${this.#call?.name ?? "The other side"} wants to send this`);
      card.actions({
        Accept: () => {
          file.accept();
          card.actions({ Cancel: () => file.refuse("cancelled") });
          card.progress(0);
        },
        Refuse: () => file.refuse(),
      });
    });
    file.addEventListener("progress", () => card.progress(file.received));
    file.addEventListener("done", () => card.done(`Received, ${size(file.size)}`, file.sha256, file.blob));
    file.addEventListener("failed", () => card?.failed(`Not received: ${file.error}`));
  }

  #listenForDrops() {
    const hasFiles = (event) => this.#call && [...(event.dataTransfer?.types ?? [])].includes("Files");
    addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      byId("drop").hidden = false;
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) byId("drop").hidden = true;
    });
    addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      byId("drop").hidden = true;
      this.sendAll(event.dataTransfer.files);
    });
  }
}

/** One file as it is seen. */
class Card {
  #item;
  #bar;
  #status;
  #buttons;
  #size;
  #shown = -1;

  constructor(chat, { name, size: bytes, mine, by }) {
    this.#size = bytes;
    this.#bar = element("progress", { max: Math.max(1, bytes), value: 0, hidden: true });
    this.#bar.setAttribute("aria-label", `${name}: how far it is`);
    this.#status = element("span", { class: "status" });
    this.#buttons = element("div", { class: "row" });
    const text = element("div", { class: "file-text" }, element("strong", {}, name), this.#status, this.#bar, this.#buttons);
    this.#item = element("div", { class: "file" }, icon("file"), text);
    chat.add({ by, mine, content: this.#item });
  }

  say(text) {
    this.#status.textContent = text;
  }

  actions(actions) {
    const buttons = Object.entries(actions).map(([label, act]) => element("button", { type: "button", class: "small", onclick: act }, label));
    this.#buttons.replaceChildren(...buttons);
  }

  progress(bytes) {
    const percent = this.#size ? Math.floor((bytes / this.#size) * 100) : 100;
    if (percent === this.#shown) return;
    this.#shown = percent;
    this.#bar.hidden = false;
    this.#bar.value = bytes;
    this.say(`${percent} % of ${size(this.#size)}`);
  }

  done(text, sha256, blob) {
    this.#item.classList.add("done");
    this.#item.dataset.sha256 = sha256;
    this.#item.title = `SHA-256 ${sha256}`;
    this.#bar.hidden = true;
    this.say(`${text}, checked`);
    this.#buttons.replaceChildren();
    if (!blob) return;
    const name = this.#item.querySelector("strong").textContent;
    const link = element("a", { class: "button small", href: URL.createObjectURL(blob), download: name }, icon("save"), "Save");
    link.setAttribute("aria-label", `Save ${name}`);
    this.#buttons.append(link);
  }

  failed(text) {
    this.#item.classList.add("failed");
    this.#bar.hidden = true;
    this.#buttons.replaceChildren();
    this.say(text);
  }
}

// Messages of a call, and the panel that they and the files are in.

import { announce, byId, element, icon, notice, short } from "./view.js";

const MAX_LINES = 500;
/** The longest message that is shown whole. */
const MAX_TEXT = 4000;

export class Chat {
  #call = null;
  #unread = 0;

  constructor() {
    byId("send").append(icon("send"));
    byId("side-close").append(icon("close"));
    byId("side-close").addEventListener("click", () => this.open(false));
    byId("talk").addEventListener("click", () => this.open(!this.#isOpen()));
    byId("chat").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say(byId("text").value.trim());
    });
    this.#mark();
  }

  /** A call is up, or over (null). What was said before stays until the next one. */
  of(call) {
    if (call && !this.#call) {
      letGo(...byId("lines").children);
      this.#unread = 0;
      this.open(false);
    }
    this.#call = call;
    for (const field of byId("chat").elements) field.disabled = !call;
  }

  get isEmpty() {
    return !byId("lines").children.length;
  }

  /** Shows the panel, which is always there where there is room for it. */
  open(on) {
    document.body.classList.toggle("with-side", on);
    if (on) {
      this.#unread = 0;
      byId("text").focus();
    } else if (byId("side").contains(document.activeElement)) byId("talk").focus();
    this.#mark();
  }

  /** Somebody else's message. */
  heard(text) {
    this.add({ by: this.#call?.name, content: element("p", {}, short(text, MAX_TEXT)) });
    announce(`${this.#call?.name}: ${short(text, 200)}`);
  }

  /** Adds a line of somebody's. */
  add({ by, mine = false, content }) {
    const time = element("time", {}, new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    const head = element("span", { class: "by" }, mine ? "You" : short(by ?? ""), time);
    const lines = byId("lines");
    lines.append(element("li", { class: mine ? "mine" : "theirs" }, head, content));
    if (lines.children.length > MAX_LINES) letGo(lines.firstChild);
    byId("log").scrollTop = byId("log").scrollHeight;
    if (!mine && !this.#isOpen()) this.#unread += 1;
    this.#mark();
  }

  #say(text) {
    const channel = this.#call?.chat();
    if (!text) return;
    if (channel?.readyState !== "open") return notice("chat", "The message was not sent: the call has no channel for it yet.");
    channel.send(text);
    this.add({ mine: true, content: element("p", {}, text) });
    byId("chat").reset();
  }

  #isOpen() {
    return getComputedStyle(byId("side")).display !== "none";
  }

  #mark() {
    const words = this.#unread ? `Messages, ${this.#unread} new` : "Messages";
    byId("talk").replaceChildren(icon("chat"));
    if (this.#unread) byId("talk").append(element("span", { class: "count", "aria-hidden": "true" }, String(this.#unread)));
    byId("talk").setAttribute("aria-label", words);
    byId("talk").title = words;
    byId("talk").setAttribute("aria-expanded", String(document.body.classList.contains("with-side")));
  }
}

/** Removes lines, and the files that can be saved from them. */
function letGo(...lines) {
  for (const line of lines) {
    for (const link of line.querySelectorAll("a[download]")) URL.revokeObjectURL(link.href);
    line.remove();
  }
}

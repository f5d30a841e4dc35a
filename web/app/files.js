// Files over a call, whole or not at all: the protocol `skapi-rtc.file.1` of our library, in a page.
//
//   sender                                receiver
//   {"name", "size"}              ──▶
//                                 ◀──     {"accept": true}, or {"error": "…"}
//   bytes, bytes, …               ──▶
//   {"sha256"}                    ──▶
//                                 ◀──     {"received", "sha256"}

import { Sha256 } from "./sha256.js";
import { short } from "./view.js";

export const PROTOCOL = "skapi-rtc.file.1";
/** What arrives is kept in memory until it is saved. */
export const MAX_SIZE = 512 * 1024 * 1024;
const MAX_NAME = 255;
/** Read from the file at a time. */
const SLICE = 1024 * 1024;
/** Sent in one message; every browser takes 64 KiB. */
const PART = 65_000;
/** So much waits in the browser before we do. */
const HIGH = 1024 * 1024;
const LOW = 256 * 1024;

/** Sends a file over a connection. `report(sent)` is told how far it is; `signal` gives it up. */
export async function send(target, file, report, signal) {
  const name = cut(file.name);
  const channel = target.createDataChannel(`file:${name}`, { protocol: PROTOCOL });
  channel.bufferedAmountLowThreshold = LOW;
  const peer = new Peer(channel);
  const stop = () => peer.fail(new Error("you cancelled it"));
  signal.addEventListener("abort", stop);
  try {
    await peer.opened;
    channel.send(JSON.stringify({ name, size: file.size }));
    const { accept } = await peer.says();
    if (accept !== true) throw new Error("the other side does not want it");
    const sum = new Sha256();
    for (let at = 0; at < file.size; at += SLICE) {
      const slice = new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer());
      sum.update(slice);
      for (let from = 0; from < slice.length; from += PART) {
        await peer.hasRoom();
        channel.send(slice.subarray(from, from + PART));
        report(Math.min(file.size, at + from + PART) - channel.bufferedAmount);
      }
    }
    const sha256 = sum.hex();
    channel.send(JSON.stringify({ sha256 }));
    const { received, sha256: theirs } = await peer.says();
    if (received !== file.size || theirs !== sha256) throw new Error("it was damaged on its way");
    report(file.size);
    return sha256;
  } catch (error) {
    if (channel.readyState === "open") channel.send(JSON.stringify({ error: error.message }));
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    channel.close();
  }
}

/** The other end of a channel on which we send. */
class Peer {
  #channel;
  #said = [];
  #waiting = null;
  #error = null;

  constructor(channel) {
    this.#channel = channel;
    channel.addEventListener("message", ({ data }) => this.#heard(data));
    channel.addEventListener("close", () => this.fail(new Error("the call ended before it was done")));
    this.opened = this.#until("open", () => channel.readyState === "open");
  }

  fail(error) {
    this.#error ??= error;
    this.#waiting?.();
  }

  /** What it says next. */
  async says() {
    await this.#until("message", () => this.#said.length > 0);
    return this.#said.shift();
  }

  /** Waits until the browser has sent enough of what it holds. */
  async hasRoom() {
    if (this.#channel.bufferedAmount > HIGH) {
      await this.#until("bufferedamountlow", () => this.#channel.bufferedAmount <= LOW);
    }
    if (this.#error) throw this.#error;
  }

  #heard(data) {
    const said = parsed(data);
    if (!said || said.error) return this.fail(new Error(short(said?.error ?? "the other side breaks the rules", 120)));
    if (this.#said.push(said) > 2) this.fail(new Error("the other side breaks the rules"));
  }

  /** Waits for an event of the channel after which something holds. */
  #until(event, holds) {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!this.#error && !holds()) return;
        this.#channel.removeEventListener(event, look);
        this.#waiting = null;
        if (this.#error) reject(this.#error);
        else resolve();
      };
      this.#waiting = look;
      this.#channel.addEventListener(event, look);
      look();
    });
  }
}

/** A file that the other side wants to send. Tells `offer`, `progress`, `done` and `failed`. */
export class Incoming extends EventTarget {
  name = "";
  size = 0;
  received = 0;
  /** The file, once it is here. */
  blob = null;
  sha256 = null;
  error = null;
  #channel;
  #parts = [];
  #sum = new Sha256();
  #state = "new";

  constructor(channel) {
    super();
    this.#channel = channel;
    channel.binaryType = "arraybuffer";
  }

  /** A message of the channel. */
  take(data) {
    if (this.#state === "over") return;
    if (typeof data !== "string") return this.#bytes(new Uint8Array(data));
    const said = parsed(data);
    if (!said || said.error) return this.#fail(short(said?.error ?? "the other side breaks the rules", 120), !said);
    if (this.#state === "new") this.#offered(said);
    else this.#summed(said.sha256);
  }

  accept() {
    if (this.#state !== "offered") return;
    this.#state = "running";
    this.#say({ accept: true });
  }

  /** Refuses it, or gives it up. */
  refuse(why = "not wanted") {
    if (this.#state !== "over") this.#fail(why, true);
  }

  /** The channel is closed. */
  closed() {
    if (this.#state !== "over") this.#fail("the call ended before it was done", false);
  }

  #offered({ name, size }) {
    const fits = typeof name === "string" && name && Number.isSafeInteger(size) && size >= 0;
    if (!fits) return this.#fail("the other side breaks the rules", true);
    Object.assign(this, { name: cut(name), size });
    if (size > MAX_SIZE) return this.#fail("it is too large for this page", true);
    this.#state = "offered";
    this.#tell("offer");
  }

  #bytes(bytes) {
    this.received += bytes.length;
    if (this.#state !== "running" || this.received > this.size) return this.#fail("more came than was announced", true);
    this.#parts.push(bytes);
    this.#sum.update(bytes);
    this.#tell("progress");
  }

  #summed(expected) {
    if (this.#state !== "running") return this.#fail("the other side breaks the rules", true);
    const sha256 = this.#sum.hex();
    this.#say({ received: this.received, sha256 });
    if (this.received !== this.size || sha256 !== expected) return this.#fail("it was damaged on its way", false);
    this.#state = "over";
    // Of no type: a page of somebody else's must not run as ours when it is opened.
    this.blob = new Blob(this.#parts, { type: "application/octet-stream" });
    this.#parts = [];
    this.sha256 = sha256;
    this.#tell("done");
  }

  #fail(error, isSaid) {
    this.#state = "over";
    this.#parts = [];
    this.error = error;
    if (isSaid) this.#say({ error });
    this.#channel.close();
    this.#tell("failed");
  }

  #say(said) {
    if (this.#channel.readyState === "open") this.#channel.send(JSON.stringify(said));
  }

  #tell(event) {
    this.dispatchEvent(new Event(event));
  }
}

function parsed(text) {
  try {
    const said = JSON.parse(text);
    return said && typeof said === "object" ? said : null;
  } catch {
    return null;
  }
}

/** A file's name of at most as many bytes as the protocol takes, without folders. */
function cut(name) {
  let bare = name.split(/[/\\]/).pop().replace(/[\u0000-\u001f\u007f]/g, "") || "file";
  while (new TextEncoder().encode(bare).length > MAX_NAME) bare = [...bare].slice(0, -1).join("");
  return bare;
}

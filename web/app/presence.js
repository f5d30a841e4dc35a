// Who is in the lobby, with which devices, and what these say of themselves.

import { GROUP } from "./session.js";
import { deviceName } from "./words.js";
import { short } from "./view.js";

/** As many people and devices are shown at most. */
const MAX_DEVICES = 200;
/** In a larger crowd nobody introduces themselves to each who comes. */
const MAX_INTRODUCED = 40;
/** Names are asked for once, and the oldest forgotten beyond so many. */
const MAX_NAMES = 1000;

/** People: `{ id, name, isMe, devices: [{ cid, kind, busy, isThis }] }`. Tells `change`. */
export class Presence extends EventTarget {
  #session;
  /** From connection id to `{ user, kind, busy }`. */
  #devices = new Map();
  #names = new Map();
  #busy = false;

  constructor(session) {
    super();
    this.#session = session;
    session.addEventListener("there", () => this.#refresh());
    session.addEventListener("notice", ({ detail }) => this.#noticed(detail));
    session.addEventListener("message", ({ detail }) => this.#heard(detail));
    session.addEventListener("private", ({ detail }) => this.#heard(detail));
  }

  /** Everybody, oneself first. */
  people() {
    const people = new Map();
    for (const [cid, { user, kind, busy }] of this.#devices) {
      const isMe = user === this.#session.user;
      if (!people.has(user)) people.set(user, { id: user, name: this.nameOf(user), isMe, devices: [] });
      people.get(user).devices.push({ cid, kind, busy, isThis: cid === this.#session.cid });
    }
    const order = (a, b) => b.isMe - a.isMe || a.name.localeCompare(b.name);
    return [...people.values()].sort(order);
  }

  /** A name that is known, or the beginning of the id until it is. */
  nameOf(user) {
    if (user === this.#session.user) return this.#session.name;
    const known = this.#names.get(user);
    if (known === undefined) this.#ask(user);
    return short(known || user, known ? 60 : 9);
  }

  /** The same, once it is known. */
  async name(user) {
    if (!this.#names.get(user)) await this.#ask(user);
    return this.nameOf(user);
  }

  /** Tells the others whether this device is in a call. */
  tellBusy(busy) {
    if (this.#busy === busy) return;
    this.#busy = busy;
    this.#introduce(false);
  }

  async #refresh() {
    try {
      const found = new Map();
      for (let more = false; found.size < MAX_DEVICES; more = true) {
        const page = await this.#session.skapi.getRealtimeUsers({ group: GROUP }, { fetchMore: more, limit: 100 });
        for (const { user_id, cid } of page.list) found.set(cid, user_id);
        if (page.endOfList) break;
      }
      for (const cid of this.#devices.keys()) if (!found.has(cid)) this.#devices.delete(cid);
      for (const [cid, user] of found) this.#add(cid, user);
    } catch {
      // The connection was lost again; the next one asks again.
    }
    this.#changed();
    this.#introduce(true);
  }

  #noticed({ code, sender, sender_cid: cid, sender_rid: group }) {
    if (group !== GROUP) return;
    if (code === "USER_JOINED") this.#add(cid, sender);
    else this.#devices.delete(cid);
    this.#changed();
  }

  #heard({ message, sender, sender_cid: cid }) {
    if (message?.page !== "about" || cid === this.#session.cid) return;
    this.#add(cid, sender);
    const device = this.#devices.get(cid);
    if (!device) return;
    device.kind = short(message.device, 40);
    device.busy = message.busy === true;
    this.#changed();
    if (message.ask === true && this.#devices.size <= MAX_INTRODUCED) this.#introduce(false, sender);
  }

  #introduce(ask, user) {
    const about = { page: "about", device: deviceName(), busy: this.#busy, ask };
    return this.#session.say(about, user);
  }

  #add(cid, user) {
    if (this.#devices.has(cid) || this.#devices.size >= MAX_DEVICES) return;
    const kind = cid === this.#session.cid ? deviceName() : "";
    this.#devices.set(cid, { user, kind, busy: false });
  }

  #ask(user) {
    if (this.#names.size >= MAX_NAMES) this.#names.delete(this.#names.keys().next().value);
    this.#names.set(user, "");
    const asked = this.#session.skapi.getUsers({ searchFor: "user_id", value: user });
    return asked
      .then(({ list }) => {
        this.#names.set(user, list[0]?.name || user);
        this.#changed();
      })
      .catch(() => this.#names.delete(user));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

// An end of the matrix that is a page: one tab that calls, one that is called, with Skapi's client or ours.

import assert from "node:assert/strict";

const MEDIA = { media: { audio: true, video: true } };
/** One that loses nothing: the default channel of Skapi's client gives up what takes longer than 10 ms. */
const VOLLEY = "volley";
const CHANNELS = { channels: [{ ordered: true, protocol: VOLLEY }] };

export class Page {
  constructor(lab, name, client) {
    this.lab = lab;
    this.name = name;
    this.client = client;
    this.hasMedia = true;
    this.tabs = {};
  }

  /** Waits for a call, and gives the cid to dial. */
  async wait({ media }) {
    const tab = await this.#tab("listens");
    await tab.run(prepare, media ? MEDIA : {});
    return tab.cid;
  }

  /** Sees that the other side has hung up. */
  async isLeft() {
    const { listens } = this.tabs;
    await listens.hungUp(await listens.rings());
  }

  /** Sees and hears the other side. */
  async perceives() {
    await perceives(this.tabs.listens);
  }

  async hangUp() {
    const { listens } = this.tabs;
    await listens.talks();
    await listens.run(() => lab.connection.hangup());
  }

  /** A call in which this side sends a volley, and hangs up. */
  async volley(cid, count) {
    await this.dial(cid, { media: false });
    const { calls } = this.tabs;
    const wrong = await calls.until(volley, [cid, VOLLEY, count], `${count} messages to come back`);
    assert.equal(wrong, "none");
    await calls.run(() => lab.connection.hangup());
    await calls.until(() => lab.connection.target.connectionState === "closed", undefined, "the end");
  }

  /** Calls, with sound and picture or without. */
  async dial(cid, { media }) {
    const tab = await this.#tab("calls");
    this.cid = cid;
    await tab.run(prepare, null);
    await tab.run(([to, params]) => lab.dial(to, params), [cid, { ...CHANNELS, ...(media && MEDIA) }]);
    await tab.talks();
    await tab.channel(VOLLEY);
    if (media) await perceives(tab);
  }

  /** Sees that the one who was called has hung up. */
  async isHungUpOn() {
    await this.tabs.calls.hungUp(this.cid);
  }

  async leave() {
    for (const tab of Object.values(this.tabs)) await tab.vanish();
    this.tabs = {};
  }

  async #tab(role) {
    this.tabs[role] ??= await this.lab.member(`${this.name}-${role}`, { client: this.client });
    return this.tabs[role];
  }
}

async function perceives(tab) {
  await tab.sees();
  await tab.hears();
}

// What follows runs in the page.

/** Forgets the last call. With `accepts`, the next one is accepted, and what it brings is sent back. */
function prepare(accepts) {
  lab.realtime.splice(0);
  lab.errors.splice(0);
  Object.assign(lab, { rtc: {}, incoming: null, connection: null, call: null, accepts });
  document.getElementById("remote").srcObject = null;
  lab.writesDown ??= lab.onRtc;
  lab.onRtc = (peer) => {
    const write = lab.writesDown(peer);
    return (event) => {
      write(event);
      if (accepts && event.type === "message") event.target.send(event.data);
    };
  };
}

/** Sends texts and bytes by turns, once, and compares when all have come back. */
function volley([cid, label, count]) {
  const message = (number) => {
    const size = (number * 37) % 1500;
    if (number % 2 === 0) return `${number} ${"ü".repeat(size / 2)}`;
    const bytes = new Uint8Array(4 + size).fill(number);
    new DataView(bytes.buffer).setUint32(0, number);
    return bytes;
  };
  if (lab.volleyOf !== lab.call) {
    lab.volleyOf = lab.call;
    for (let number = 0; number < count; number += 1) lab.channel(label).send(message(number));
  }
  const back = lab.received(cid, label);
  if (back.length < count) return false;
  const wrong = back.findIndex((one, number) => String(one) !== String(message(number)));
  return wrong < 0 ? "none" : `number ${wrong}: ${String(back[wrong]).slice(0, 40)}`;
}

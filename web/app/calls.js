// One call at a time: placed or taken, up, interrupted, over.

import { ring, stopRinging } from "./ringing.js";
import { announce, notice, short } from "./view.js";

/** A channel for texts as they are, which peers in a terminal understand too. */
const CHAT = "default";
/** What the two pages tell each other: whether microphone, camera and screen are on. */
const STATE = "page";
/** How long the words of who declines may take. */
const NOTE_MS = 2000;
const CHANNELS = [{ protocol: CHAT }, { protocol: STATE }];

/**
 * Tells `stage` with the call whenever it has come further: `starting`, `calling`, `ringing`, `connecting`,
 * `up`, `lost` (it is searched for) and `over`. Beside these `track`, `open`, `message` and `close`, with the
 * event of our client.
 */
export class Calls extends EventTarget {
  current = null;
  #session;
  #presence;
  #media;
  /** The call that rings here, by the caller's connection. */
  #ringing = null;

  constructor(session, presence, media) {
    super();
    this.#session = session;
    this.#presence = presence;
    this.#media = media;
    session.addEventListener("rtc:incoming", ({ detail }) => this.#incoming(detail));
    session.addEventListener("rtc:closed", ({ detail }) => this.#closed(detail));
    session.addEventListener("private", ({ detail }) => this.#noted(detail));
  }

  /** Calls one or several devices of somebody; the first that accepts has the call. */
  async place({ id, name }, cids) {
    if (this.current || this.#ringing) return;
    const call = this.#begin({ user: id, name, cids, outgoing: true });
    this.#stage("starting");
    if (!(await this.#hasMedia(call))) return;
    this.#stage("calling");
    for (const cid of cids) this.#dial(call, cid);
  }

  /** Hangs up, or takes the call back. */
  hangUp() {
    const call = this.current;
    if (!call) return;
    if (!call.legs.size) return this.#over(call, { reason: call.outgoing ? "cancelled" : "hung_up", by: "local" });
    for (const leg of call.legs.values()) leg.hangup();
  }

  async #dial(call, cid) {
    // Until there is something to hang up, a wish to is remembered.
    const leg = { wished: false, hangup: () => (leg.wished = true) };
    call.legs.set(cid, leg);
    try {
      const params = { cid, channels: CHANNELS, ...(call.stream && { media: call.stream }) };
      const connector = await this.#session.skapi.connectRTC(params, (event) => this.#heard(call, cid, event));
      leg.isPlaced = true;
      if (leg.wished) connector.hangup();
      leg.hangup = () => connector.hangup();
      this.#up(call, cid, await connector.connection);
    } catch (error) {
      // What becomes of a call that was placed, `ended` tells.
      if (leg.isPlaced) return;
      this.#legOver(call, cid, { reason: leg.wished ? "cancelled" : "not_placed", by: "local", text: error.message });
    }
  }

  async #incoming(event) {
    const { sender, sender_cid: cid } = event;
    if (this.current || this.#ringing) {
      event.hangup("busy");
      return notice("missed", `${await this.#presence.name(sender)} calls, while you are in another call.`);
    }
    const ringing = { cid, name: this.#presence.nameOf(sender) };
    this.#ringing = ringing;
    ringing.name = await this.#presence.name(sender);
    // It may be over before we know who it was.
    if (this.#ringing !== ringing) return;
    const device = this.#presence.people().flatMap((person) => person.devices).find((known) => known.cid === cid);
    const answer = await ring(ringing.name, device?.kind);
    if (this.#ringing === ringing) this.#ringing = null;
    if (!answer) return;
    if (answer.decline) return this.#decline(event, answer);
    await this.#take(event, ringing.name, answer);
  }

  async #decline(event, { note, busy }) {
    // In words first: with the end of the call the caller stops to listen for them. It need not wait long for them.
    const patience = new Promise((resolve) => setTimeout(resolve, NOTE_MS));
    if (note) await Promise.race([patience, this.#session.say({ page: "declined", to: event.sender_cid, note }, event.sender)]);
    event.hangup(busy ? "busy" : undefined);
  }

  async #take(event, name, { video }) {
    const { sender: user, sender_cid: cid } = event;
    const call = this.#begin({ user, name, cids: [cid], outgoing: false });
    call.legs.set(cid, { hangup: () => event.hangup() });
    this.#stage("connecting");
    if (!(await this.#hasMedia(call, video ? {} : { video: false }))) return;
    try {
      const params = call.stream ? { media: call.stream } : {};
      const connection = await event.connectRTC(params, (rtc) => this.#heard(call, cid, rtc));
      if (connection) this.#up(call, cid, connection);
      else this.#over(call, { reason: "cancelled", by: "remote" });
    } catch (error) {
      if (this.current === call) this.#over(call, { reason: error.code ?? "failed", by: "local", text: error.message });
    }
  }

  /** Turns on what is to be sent. False when the call was over meanwhile. */
  async #hasMedia(call, wanted) {
    call.stream = await this.#media.start(wanted);
    if (!this.current) this.#media.stop();
    return this.current === call;
  }

  /** What our client says of a call. */
  #heard(call, cid, event) {
    if (event.type === "ended") return this.#legOver(call, cid, event);
    if (this.current !== call || (call.answered && call.answered !== cid)) return;
    switch (event.type) {
      case "ringing":
        if (call.stage === "calling") this.#stage("ringing");
        return;
      case "accepted":
        this.#answered(call, cid);
        return;
      case "reconnecting":
        return this.#stage("lost");
      case "reconnected":
        return this.#stage("up");
      case "open":
        if (event.target.label !== STATE) call.texts ??= event.target;
        break;
    }
    this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
  }

  #answered(call, cid) {
    if (call.answered) return;
    call.answered = cid;
    this.#stage("connecting");
    for (const [other, leg] of call.legs) if (other !== cid) leg.hangup();
  }

  #up(call, cid, connection) {
    if (!connection || this.current !== call) return;
    this.#answered(call, cid);
    if (call.answered !== cid) return;
    call.legs.get(cid).hangup = () => connection.hangup();
    call.target = connection.target;
    call.channels = connection.channels;
    call.since = performance.now();
    this.#stage("up");
  }

  #legOver(call, cid, end) {
    call.legs.delete(cid);
    if (end.by === "remote" || !call.end) call.end = end;
    // Others may ring on.
    if (call.answered === cid || (!call.legs.size && !call.answered)) this.#over(call, call.answered ? end : call.end);
  }

  #over(call, { reason, by, text }) {
    if (this.current !== call) return;
    this.current = null;
    call.end = { reason, by, text };
    call.seconds = call.since === null ? null : (performance.now() - call.since) / 1000;
    this.#media.stop();
    this.#tell(call, "over");
  }

  /** A call that rang here is over. */
  #closed({ sender_cid: cid, reason }) {
    if (this.#ringing?.cid !== cid) return;
    const { name } = this.#ringing;
    this.#ringing = null;
    stopRinging();
    if (reason === "answered_elsewhere") announce("Answered on another device");
    else notice("missed", `You missed a call: ${name}.`);
  }

  /** Why somebody declined, in their own words. */
  #noted({ message, sender_cid: cid }) {
    if (message?.page !== "declined" || message.to !== this.#session.cid) return;
    if (this.current?.cids.includes(cid)) this.current.note = short(message.note, 120);
  }

  #begin(call) {
    const chat = () => call.texts ?? call.channels?.[CHAT];
    const state = () => call.channels?.[STATE];
    Object.assign(call, { stage: "", legs: new Map(), answered: null, target: null, channels: null, texts: null });
    this.current = Object.assign(call, { stream: null, since: null, end: null, note: null, chat, state });
    return call;
  }

  #stage(stage) {
    this.#tell(this.current, stage);
  }

  #tell(call, stage) {
    call.stage = stage;
    this.dispatchEvent(new CustomEvent("stage", { detail: call }));
  }
}

/** Whether a channel is the one on which pages tell their state. */
export const isState = (channel) => channel.label === STATE;

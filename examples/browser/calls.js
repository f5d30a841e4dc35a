// One call at a time: placed or taken, seen and heard, and hung up.

import { byId, log } from "./view.js";

export class Calls {
  #skapi;
  #people;
  /** The call that is on: the peer's cid, its name, how to end it, and its connection when there is one. */
  #call = null;
  /** Connections whose calls were not taken; the client has to forget them before they call again. */
  #untaken = new Set();

  constructor(skapi, people) {
    this.#skapi = skapi;
    this.#people = people;
    byId("hang-up").addEventListener("click", () => this.#call?.hangup());
    byId("chat").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say(byId("text").value);
    });
  }

  isIdle() {
    return this.#call === null;
  }

  /** Calls somebody. */
  async place(cid) {
    if (!this.isIdle()) return log("there is a call already");
    const call = this.#begin(cid);
    call.name = await this.#people.nameOf(cid);
    if (this.#call !== call) return;
    log(`calling ${call.name}`);
    this.#show(`Calling ${call.name} …`);
    try {
      const params = { cid, channels: ["text-chat"], ...this.#media() };
      const connector = await this.#skapi.connectRTC(params, (event) => this.#onRtc(call, event));
      if (this.#call !== call) return connector.hangup(); // taken back meanwhile
      call.hangup = () => {
        connector.hangup();
        this.closed(cid);
      };
      // When it is refused, this promise stays open for ever: `rtc:closed` tells.
      this.#up(call, await connector.connection);
    } catch (error) {
      log(`no call with ${call.name}: ${error.message}`);
      this.closed(cid);
    }
  }

  /** It rings. */
  async incoming(event) {
    const { sender_cid: cid, sender } = event;
    // An offer within the call that is on; the client has answered it.
    if (this.#call?.cid === cid) return;
    if (!this.isIdle()) {
      event.hangup();
      this.#untaken.add(cid);
      return log(`${await this.#people.name(sender)} calls, while there is a call`);
    }
    const call = this.#begin(cid);
    call.ringing = true;
    call.hangup = () => {
      event.hangup();
      this.closed(cid);
    };
    call.name = await this.#people.name(sender);
    if (this.#call !== call) return; // taken back meanwhile
    log(`${call.name} calls`);
    this.#show(`${call.name} calls`);
    if (await this.#asked(call)) {
      await this.#take(call, event);
    } else if (this.#call === call) {
      call.hangup();
    }
  }

  async #take(call, event) {
    call.ringing = false;
    this.#show(`Connecting with ${call.name} …`);
    try {
      const connection = await event.connectRTC(this.#media(), (rtc) => this.#onRtc(call, rtc));
      if (this.#call === call) this.#up(call, connection);
    } catch (error) {
      log(`no call with ${call.name}: ${error.message}`);
      event.hangup();
      this.closed(call.cid);
    }
  }

  /** The dialog; the end of the call closes it, too. */
  #asked(call) {
    const dialog = byId("ringing");
    byId("ringing-text").textContent = `${call.name} calls you`;
    dialog.showModal();
    byId("accept").focus();
    return new Promise((resolve) => {
      const answer = (accepted) => {
        dialog.close();
        resolve(accepted);
      };
      call.stopRinging = () => answer(false);
      byId("accept").onclick = () => answer(true);
      byId("reject").onclick = () => answer(false);
      dialog.oncancel = (event) => {
        event.preventDefault();
        answer(false);
      };
    });
  }

  /** The call with this connection is over, whoever ended it. */
  closed(cid) {
    this.#untaken.add(cid);
    const call = this.#call;
    if (call?.cid === cid) {
      this.#call = null;
      call.stopRinging?.();
      log(`the call with ${call.name} is over`);
      this.#show("");
    }
    // It also turns the camera off, so it has to wait for the end of another call.
    if (!this.isIdle()) return;
    for (const untaken of this.#untaken) this.#skapi.closeRTC({ cid: untaken });
    this.#untaken.clear();
  }

  #begin(cid) {
    this.#call = { cid, name: "somebody", connection: null, hangup: () => this.closed(cid) };
    return this.#call;
  }

  #up(call, connection) {
    if (!connection || this.#call !== call) return;
    call.connection = connection;
    call.hangup = () => {
      connection.hangup();
      this.closed(call.cid);
    };
    this.#showOwn(connection.media ?? null);
    this.#show(`In a call with ${call.name}`);
    log(`in a call with ${call.name}`);
  }

  #onRtc(call, event) {
    if (this.#call !== call) return;
    switch (event.type) {
      case "track":
        byId("remote").srcObject = event.streams[0] ?? new MediaStream([event.track]);
        byId("remote").play().catch(() => {});
        break;
      case "connectionstatechange":
        log(`connection: ${event.state}`);
        if (["disconnected", "failed", "closed"].includes(event.state)) this.closed(call.cid);
        break;
      case "open":
        this.#enableChat(true);
        break;
      case "message":
        log(typeof event.data === "string" ? `${call.name}: ${event.data}` : `${call.name} sent bytes`);
        break;
      case "error":
        log(`channel: ${event.error}`);
        break;
    }
  }

  #say(text) {
    const channels = Object.values(this.#call?.connection?.channels ?? {});
    const channel = channels.find((one) => one.readyState === "open");
    if (!text || !channel) return;
    channel.send(text);
    log(`you: ${text}`);
    byId("chat").reset();
  }

  #media() {
    const media = { video: byId("video").checked, audio: byId("audio").checked };
    return media.video || media.audio ? { media } : {};
  }

  #show(text) {
    byId("call-state").textContent = text;
    document.body.classList.toggle("in-call", !this.isIdle());
    byId("hang-up").disabled = this.isIdle() || this.#call.ringing === true;
    if (this.isIdle()) {
      this.#showOwn(null);
      byId("remote").srcObject = null;
      this.#enableChat(false);
    }
  }

  #showOwn(stream) {
    byId("local").srcObject = stream;
    byId("local").classList.toggle("on", Boolean(stream?.getVideoTracks().length));
  }

  #enableChat(on) {
    for (const field of byId("chat").elements) field.disabled = !on;
  }
}

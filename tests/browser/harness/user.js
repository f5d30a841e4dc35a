// Somebody with a tab of their own, in which Skapi's client runs.

import { PATIENCE_MS } from "./waiting.js";

/** Frames and lines of the console that are kept of a page, for when something fails. */
const MAX_KEPT = 2000;

export class User {
  static async open(browser, url, { name, context: options = {} }) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
    const user = new User(name, context, await context.newPage());
    await user.page.goto(url);
    return user;
  }

  constructor(name, context, page) {
    this.name = name;
    this.context = context;
    this.page = page;
    this.console = [];
    this.frames = [];
    const keep = (list, line) => {
      list.push(`${new Date().toISOString()} ${line}`);
      if (list.length > MAX_KEPT) list.shift();
    };
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("console", (message) => keep(this.console, `${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => keep(this.console, `uncaught: ${error.stack}`));
    page.on("requestfailed", (request) => keep(this.console, `failed: ${request.url()}`));
    page.on("websocket", (socket) => {
      keep(this.frames, "── opened");
      socket.on("framesent", ({ payload }) => keep(this.frames, `→ ${payload}`));
      socket.on("framereceived", ({ payload }) => keep(this.frames, `← ${payload}`));
      socket.on("close", () => keep(this.frames, "── closed"));
    });
  }

  /** Runs a function in the page. */
  run(fn, argument) {
    return this.page.evaluate(fn, argument);
  }

  /** Waits until a function of the page gives something true, also in the end of a promise, and gives it. */
  async until(fn, argument, what = String(fn)) {
    const found = await this.run(
      async ([source, given, patience]) => {
        const holds = eval(`(${source})`);
        for (const deadline = Date.now() + patience; Date.now() < deadline; ) {
          const value = await holds(given);
          if (value) return { value };
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return null;
      },
      [String(fn), argument, PATIENCE_MS],
    );
    if (!found) throw new Error(`${this.name} waited ${PATIENCE_MS / 1000} s for ${what}`);
    return found.value;
  }

  /** Signs in with tokens of the operator's. */
  async signIn(tokens) {
    const profile = await this.run((given) => skapi.loginWithToken(given), tokens);
    this.id = profile.user_id;
    return profile;
  }

  /** Sends text over the client's own socket, past the client. */
  sendRaw(text) {
    return this.run(async (frame) => (await skapi.__socket).send(frame), text);
  }

  /** Connects, and waits until the client says so: its promise does not wait. */
  async connect() {
    const before = await this.run(() => {
      skapi.connectRealtime(lab.onRealtime);
      return lab.events("success").length;
    });
    await this.until((count) => lab.events("success").length > count, before, "the connection");
  }

  /** Joins a group, and waits until the service knows: it tells in its answers, not by a frame. */
  async join(group) {
    await this.run((name) => skapi.joinRealtime({ group: name }), group);
    this.cid = await this.until(
      async ([name, id]) => {
        const { list } = await skapi.getRealtimeUsers({ group: name, user_id: id });
        return list.at(-1)?.cid;
      },
      [group, this.id],
      `to be in ${group}`,
    );
  }

  /** Waits for a realtime event of a type for which the given fields are as given. */
  event(type, fields = {}) {
    return this.until(
      ([kind, wanted]) =>
        lab.events(kind).find((event) =>
          Object.entries(wanted).every(([key, value]) => JSON.stringify(event[key]) === JSON.stringify(value)),
        ),
      [type, fields],
      `the event ${type} ${JSON.stringify(fields)}`,
    );
  }

  /** Waits until it rings, and gives the caller's cid. */
  async rings() {
    await this.until(() => lab.incoming, undefined, "a call");
    return this.run(() => lab.incoming.sender_cid);
  }

  /** Waits until the call is up. */
  async talks() {
    await this.until(
      () => lab.connection?.target.connectionState === "connected",
      undefined,
      "the call to be up",
    );
  }

  /** Waits until the client has said that the call with the peer is over. */
  async hungUp(cid) {
    await this.event("rtc:closed", { sender_cid: cid });
  }

  /** Waits until video plays: a picture is there, and both time and pictures advance. */
  async sees() {
    const first = await this.until(
      async () => {
        const seen = await lab.media();
        return seen.width > 0 && seen.frames > 0 && seen;
      },
      undefined,
      "video",
    );
    await this.until(
      async (before) => {
        const seen = await lab.media();
        return seen.time > before.time && seen.frames > before.frames + 5;
      },
      first,
      "the video to go on",
    );
  }

  /** Waits until something is heard. */
  async hears() {
    await this.until(async () => (await lab.media()).energy > 0, undefined, "sound");
  }

  /** Waits until a channel of the call is open. */
  async channel(label) {
    await this.until((name) => lab.channel(name)?.readyState === "open", label, `the channel ${label}`);
  }

  /** Closes the tab as a crash would: nothing of the page runs any more. */
  async vanish() {
    await this.context.close();
    this.gone = true;
  }
}

// Who one is, and the connection to the service: made, lost, made again.

import { dismiss, notice, byId } from "./view.js";

/** Where everybody meets, unless the address names another place. */
export const GROUP = new URLSearchParams(location.search).get("group") || "lobby";

/** The service gives no tokens to anybody who asks: it does not run with `--dev`. */
export class NeedsToken extends Error {}

export class Session extends EventTarget {
  /** Our client, once there is a session. */
  skapi = null;
  name = "";
  /** The own user id. */
  user = null;
  #token = null;
  /** A token of the operator's, in the place of those that `--dev` gives. */
  #given = null;

  get cid() {
    return this.skapi?.cid;
  }

  /** Signs in, connects and joins. Fails with what `joinTrouble` explains, or `NeedsToken`. */
  async join(name, given) {
    Object.assign(this, { name });
    this.#given = given || null;
    this.#token = null;
    await this.#fresh();
    const { Skapi } = await import("../client/skapi-rtc.mjs").catch((cause) => {
      throw new Error("our client could not be loaded: `cargo xtask web` builds it", { cause });
    });
    this.skapi = new Skapi({ url: location.origin, token: () => this.#fresh() });
    state("wait", "Connecting …");
    try {
      await this.skapi.connectRealtime((event) => this.#on(event));
      await this.skapi.joinRealtime({ group: GROUP });
    } catch (error) {
      state("off", "Not connected");
      this.skapi.closeRealtime().catch(() => {});
      throw error;
    }
    this.#isThere();
  }

  /** Says something to all others, or to one user. Whoever is not there does not hear it. */
  async say(content, user) {
    await this.skapi?.postRealtime(content, user ? { user_id: user } : GROUP).catch(() => {});
  }

  /** Leaves, so that the others need not wait for a connection that may come back. */
  leave() {
    this.skapi?.closeRealtime().catch(() => {});
  }

  /** The token; the one from before as long as the connection lasts. */
  async #fresh() {
    this.#token ??= this.#given ? { token: this.#given, user: subject(this.#given) } : await this.#ask();
    this.user = this.#token.user;
    return this.#token.token;
  }

  async #ask() {
    const body = JSON.stringify({ user: this.name, name: this.name });
    const response = await fetch("/dev/session", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (response.status === 404) throw new NeedsToken();
    if (!response.ok) throw new Error(`the service answered ${response.status}`);
    const { accessToken, user_id } = await response.json();
    return { token: accessToken, user: user_id };
  }

  #on(event) {
    switch (event.type) {
      case "success":
        if (byId("link").dataset.state === "lost") this.#isThere();
        return;
      case "reconnect":
        // A service that was restarted may know another secret.
        this.#token = null;
        state("lost", "Reconnecting …");
        notice("link", "The connection to the service is lost and tried again. A call that is up goes on without it.", {
          kind: "warn",
        });
        return;
      case "close":
        state("off", "Not connected");
        notice("link", "The service has ended this session.", { kind: "bad", actions: { "Enter again": () => location.reload() } });
        return;
      default:
        this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
    }
  }

  #isThere() {
    state("on", "Connected");
    dismiss("link");
    this.dispatchEvent(new Event("there"));
  }
}

function state(which, words) {
  byId("link").dataset.state = which;
  byId("link").textContent = words;
}

/** Whom a token is for. The service is who checks it. */
function subject(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub;
  } catch {
    return null;
  }
}

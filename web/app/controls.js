// The buttons of a call, and what both sides tell each other about them.

import { isState } from "./calls.js";
import { Sending } from "./sending.js";
import { byId, icon, notice, toggle } from "./view.js";

/** What tells our own state from what a peer that echoes everything sends back. */
const OWN = crypto.getRandomValues(new Uint32Array(2)).join("-");
const MAX_STATE = 300;

export class Controls {
  #calls;
  #media;
  #stage;
  #sending = null;

  constructor(calls, media, stage) {
    this.#calls = calls;
    this.#media = media;
    this.#stage = stage;
    byId("hang-up").append(icon("hang-up"));
    byId("choose").append(icon("gear"));
    byId("hang-up").addEventListener("click", () => calls.hangUp());
    byId("mic").addEventListener("click", () => media.set("audio", !media.isOn("audio")));
    byId("camera").addEventListener("click", () => media.set("video", !media.isOn("video")));
    byId("share").addEventListener("click", () => this.#share());
    byId("share").hidden = !navigator.mediaDevices?.getDisplayMedia;
    byId("choose").addEventListener("click", () => this.#choose());
    byId("chooser").addEventListener("close", () => byId("devices-home").append(byId("devices")));
    media.addEventListener("change", () => this.#changed());
    media.addEventListener("track", ({ detail }) => this.#sending?.replace(detail.kind, detail.track));
    calls.addEventListener("stage", ({ detail }) => this.#reached(detail));
    calls.addEventListener("open", ({ detail }) => isState(detail.target) && this.#tell());
    this.#draw();
  }

  /** Whether a message of this channel is about the buttons of the other side. */
  takes({ type, target, data }) {
    if (!isState(target)) return false;
    if (type === "message" && typeof data === "string" && data.length <= MAX_STATE) this.#heard(data);
    return true;
  }

  #reached(call) {
    if (call.stage === "up" && !this.#sending) this.#sending = new Sending(call.target, call.stream);
    if (call.stage === "over") {
      this.#sending?.unshare(null);
      this.#sending = null;
      if (byId("chooser").open) byId("chooser").close();
    }
    this.#changed();
  }

  #heard(text) {
    let said = null;
    try {
      said = JSON.parse(text);
    } catch {
      return;
    }
    if (said?.page !== "state" || said.from === OWN) return;
    this.#stage.theyAre({ mic: said.mic === true, camera: said.camera === true, screen: said.screen === true });
  }

  async #share() {
    const sending = this.#sending;
    if (!sending) return;
    const camera = () => this.#media.track("video");
    try {
      if (sending.screen) await sending.unshare(camera());
      else await sending.share(camera, () => this.#changed());
    } catch (error) {
      // Who closes the browser's dialog without a choice has changed their mind.
      if (error.name !== "NotAllowedError") notice("media", `The screen cannot be shared: ${error.message}`, { kind: "bad" });
    }
    this.#changed();
  }

  #choose() {
    byId("devices-in-call").append(byId("devices"));
    byId("chooser").showModal();
    this.#media.list();
  }

  #changed() {
    this.#draw();
    this.#stage.drawOwn(this.#sending?.screen ?? null);
    this.#tell();
  }

  #tell() {
    const channel = this.#calls.current?.state();
    if (channel?.readyState !== "open") return;
    const [mic, camera] = [this.#media.isOn("audio"), this.#media.isOn("video")];
    channel.send(JSON.stringify({ page: "state", mic, camera, screen: Boolean(this.#sending?.screen), from: OWN }));
  }

  #draw() {
    const [mic, camera] = [this.#media.isOn("audio"), this.#media.isOn("video")];
    const shares = Boolean(this.#sending?.screen);
    toggle(byId("mic"), { on: !mic, name: mic ? "mic" : "mic-off", label: mic ? "Mute" : "Unmute" });
    toggle(byId("camera"), {
      on: !camera,
      name: camera ? "camera" : "camera-off",
      label: camera ? "Turn the camera off" : "Turn the camera on",
    });
    toggle(byId("share"), { on: shares, name: "screen", label: shares ? "Stop sharing the screen" : "Share the screen" });
    byId("share").disabled = !this.#sending;
    byId("talk").disabled = !this.#sending;
  }
}

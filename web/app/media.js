// Camera, microphone and loudspeaker: which, whether, and what to say when there is none.

import { byId, element, notice } from "./view.js";
import { mediaTrouble } from "./words.js";

const KINDS = { audio: "microphone", video: "camera" };
const INPUT = { audio: "audioinput", video: "videoinput" };
const TITLES = { audioinput: "Microphone", videoinput: "Camera", audiooutput: "Loudspeaker" };

/** The own picture and sound. Tells `change`, and `track` with `{ kind, track }` when one came or was replaced. */
export class LocalMedia extends EventTarget {
  /** What is sent in calls and seen in the preview; null while neither is on. */
  stream = null;
  #trying = false;

  constructor() {
    super();
    for (const kind of Object.keys(TITLES)) byId(kind).addEventListener("change", () => this.#chosen(kind));
    byId("use-camera").addEventListener("change", () => this.#wanted());
    byId("use-mic").addEventListener("change", () => this.#wanted());
    byId("try").addEventListener("click", () => (this.#trying ? this.stopTrying() : this.#try()));
    byId("speaker").hidden = !("setSinkId" in HTMLMediaElement.prototype);
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.list());
    this.list();
  }

  /** The track of a kind that is on its way, if any. */
  track(kind) {
    return this.stream?.getTracks().find((track) => track.kind === kind) ?? null;
  }

  isOn(kind) {
    const track = this.track(kind);
    return Boolean(track?.enabled && track.readyState === "live");
  }

  /** Turns on what is wanted, as far as it is there; says what is not. */
  async start({ video = byId("use-camera").checked, audio = byId("use-mic").checked } = {}) {
    this.#trying = false;
    const wanted = { video: video && !this.track("video"), audio: audio && !this.track("audio") };
    if (!video) this.#drop("video");
    if (!audio) this.#drop("audio");
    if (!wanted.video && !wanted.audio) return this.#settled();
    for (const track of await this.#ask(wanted)) this.#put(track);
    return this.#settled();
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.#trying = false;
    this.#changed();
  }

  /** Mutes, or shows again; asks for a device that was not on yet. */
  async set(kind, on) {
    const track = this.track(kind);
    if (track?.readyState === "live") {
      track.enabled = on;
      return this.#changed();
    }
    if (!on) return;
    const [fresh] = await this.#ask({ [kind]: true });
    if (fresh) this.#put(fresh);
    this.#settled();
  }

  /** Fills the lists of devices. Their names are known once one of them was allowed. */
  async list() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    for (const [kind, title] of Object.entries(TITLES)) {
      const select = byId(kind);
      const before = select.value;
      const found = devices.filter((device) => device.kind === kind && device.deviceId);
      const options = found.map(({ deviceId, label }, index) =>
        element("option", { value: deviceId }, label || `${title} ${index + 1}`),
      );
      if (!options.length) options.push(element("option", { value: "" }, `The usual ${title.toLowerCase()}`));
      select.replaceChildren(...options);
      const inUse = this.track(kind.slice(0, 5))?.getSettings().deviceId;
      const wanted = [inUse, before].find((id) => id && found.some((device) => device.deviceId === id));
      if (wanted) select.value = wanted;
    }
  }

  async #try() {
    await this.start();
    this.#trying = Boolean(this.stream);
    this.#changed();
  }

  stopTrying() {
    if (this.#trying) this.stop();
  }

  async #wanted() {
    if (!this.#trying) return;
    await this.#try();
  }

  async #chosen(kind) {
    if (kind === "audiooutput") {
      const sink = byId("remote").setSinkId?.(byId(kind).value);
      return sink?.catch((error) => notice("media", mediaTrouble(error, "loudspeaker"), { kind: "bad" }));
    }
    const media = kind.slice(0, 5);
    const before = this.track(media);
    if (!before) return;
    const [fresh] = await this.#ask({ [media]: true });
    if (!fresh) return this.list();
    fresh.enabled = before.enabled;
    this.#put(fresh);
    this.#settled();
  }

  /** Tracks of these kinds; fewer where something is missing. */
  async #ask(wanted) {
    const kinds = Object.keys(wanted).filter((kind) => wanted[kind]);
    const constraints = (asked) => Object.fromEntries(asked.map((kind) => [kind, this.#constraint(kind)]));
    const ask = async (asked) => (await navigator.mediaDevices.getUserMedia(constraints(asked))).getTracks();
    try {
      return await ask(kinds);
    } catch (error) {
      const found = [];
      let trouble = { error, missing: kinds };
      // Without a camera there may be a microphone all the same. Who said no is not asked again.
      if (kinds.length > 1 && error.name !== "NotAllowedError" && navigator.mediaDevices) {
        trouble = { error, missing: [] };
        for (const kind of kinds) {
          try {
            found.push(...(await ask([kind])));
          } catch (own) {
            trouble = { error: own, missing: [...trouble.missing, kind] };
          }
        }
      }
      const names = trouble.missing.map((kind) => KINDS[kind]).join(" and ");
      if (names) notice("media", mediaTrouble(trouble.error, names), { kind: "bad" });
      return found;
    }
  }

  #constraint(kind) {
    const chosen = byId(INPUT[kind]).value;
    const device = chosen ? { deviceId: { exact: chosen } } : {};
    if (kind === "audio") return { ...device, echoCancellation: true, noiseSuppression: true };
    return { ...device, width: { ideal: 1280 }, height: { ideal: 720 } };
  }

  #put(track) {
    this.stream ??= new MediaStream();
    this.#drop(track.kind);
    this.stream.addTrack(track);
    track.addEventListener("ended", () => this.#changed());
    this.dispatchEvent(new CustomEvent("track", { detail: { kind: track.kind, track } }));
  }

  #drop(kind) {
    for (const track of this.stream?.getTracks().filter((known) => known.kind === kind) ?? []) {
      track.stop();
      this.stream.removeTrack(track);
    }
  }

  /** Gives the stream, if there is anything in it. */
  #settled() {
    if (!this.stream?.getTracks().length) this.stream = null;
    this.#changed();
    this.list();
    return this.stream;
  }

  #changed() {
    const picture = this.#trying && this.track("video");
    byId("preview").hidden = !picture;
    byId("preview").srcObject = picture ? this.stream : null;
    byId("preview-text").hidden = Boolean(picture);
    byId("try").textContent = this.#trying ? "Turn off" : "Try them";
    this.dispatchEvent(new Event("change"));
  }
}

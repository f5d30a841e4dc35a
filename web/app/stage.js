// The call as it is seen: both pictures, who it is with, how long, and how it ended.

import { draw } from "./graphs.js";
import { Quality } from "./quality.js";
import { announce, byId, duration, face, icon, show } from "./view.js";
import { ended } from "./words.js";

const WORDS = {
  starting: () => "Getting your camera and microphone …",
  calling: () => "Calling …",
  ringing: () => "Ringing …",
  connecting: () => "Connecting …",
  up: () => "",
  lost: () => "Reconnecting …",
};

export class Stage {
  #media;
  #chat;
  #call = null;
  #quality = null;
  #timer = null;
  /** The screen that is shared, in the place of the camera. */
  #screen = null;
  /** What the other side says of itself. */
  #theirs = {};
  #remote = new MediaStream();

  constructor(calls, media, chat, retry) {
    this.#media = media;
    this.#chat = chat;
    calls.addEventListener("stage", ({ detail }) => this.#reached(detail));
    calls.addEventListener("track", ({ detail }) => this.#track(detail.track));
    media.addEventListener("change", () => this.drawOwn());
    byId("back").addEventListener("click", () => {
      show("lobby", "Lobby");
      byId("people").querySelector("button")?.focus();
    });
    byId("again").addEventListener("click", () => retry());
    for (const event of ["loadedmetadata", "resize"]) byId("remote").addEventListener(event, () => this.#drawTheirs());
  }

  /** The other side said whether microphone, camera and screen are on. */
  theyAre(state) {
    const before = this.#theirs;
    this.#theirs = state;
    if (state.screen && !before.screen) announce(`${this.#call.name} shares a screen`);
    this.#drawTheirs();
  }

  /** The own picture: the camera, or the screen that is shared. */
  drawOwn(screen = this.#screen) {
    this.#screen = screen;
    const picture = screen ?? (this.#media.isOn("video") ? this.#media.stream : null);
    const local = byId("local");
    const isCall = ["calling", "call"].includes(document.body.dataset.view);
    local.hidden = !picture || !isCall;
    local.classList.toggle("mirrored", !screen);
    if (local.srcObject !== picture) local.srcObject = picture;
  }

  #reached(call) {
    const { stage, name } = call;
    if (call !== this.#call) this.#begin(call);
    if (stage === "over") return this.#over(call);
    byId("call-state").textContent = WORDS[stage]();
    byId("lost").hidden = stage !== "lost";
    show(stage === "up" || stage === "lost" ? "call" : "calling", `Call with ${name}`);
    if (stage === "up") this.#up(call);
    if (stage === "lost") announce("The connection is lost. Looking for another way.");
    byId("stage").dataset.stage = stage;
    this.drawOwn();
  }

  #begin(call) {
    this.#call = call;
    this.#theirs = {};
    this.#remote = new MediaStream();
    byId("remote").srcObject = this.#remote;
    face(byId("face"), call.name);
    byId("call-title").textContent = call.name;
    byId("timer").hidden = true;
    this.#drawTheirs();
    byId("hang-up").focus();
  }

  #up(call) {
    const again = Boolean(this.#quality);
    announce(again ? "The connection is back." : `In a call with ${call.name}`);
    if (again) return;
    byId("timer").hidden = false;
    const tick = () => (byId("timer").textContent = duration((performance.now() - call.since) / 1000));
    this.#timer = setInterval(tick, 1000);
    tick();
    this.#quality = new Quality(call.target);
    this.#quality.addEventListener("sample", ({ detail }) => draw(detail));
  }

  #track(track) {
    for (const old of this.#remote.getTracks()) if (old.kind === track.kind) this.#remote.removeTrack(old);
    this.#remote.addTrack(track);
    for (const event of ["mute", "unmute", "ended"]) track.addEventListener(event, () => this.#drawTheirs());
    byId("remote").play().catch(() => {});
    this.#drawTheirs();
  }

  #drawTheirs() {
    const { mic = true, camera = true, screen = false } = this.#theirs;
    const [track] = this.#remote.getVideoTracks();
    const seen = Boolean(track && track.readyState === "live" && !track.muted && (camera || screen));
    byId("remote").hidden = !seen;
    byId("remote").classList.toggle("screen", screen);
    byId("faceless").hidden = seen;
    const said = [];
    if (screen) said.push("shares a screen");
    if (!mic) said.push("is muted");
    byId("their-state").textContent = said.join(", ");
    byId("their-state").hidden = !said.length;
  }

  #over(call) {
    clearInterval(this.#timer);
    this.#quality?.stop();
    this.#quality = null;
    this.#call = null;
    draw(null);
    byId("remote").srcObject = null;
    byId("lost").hidden = true;
    this.drawOwn(null);
    const { title, text } = ended({ ...call.end, name: call.name });
    face(byId("ended-face"), call.name);
    byId("ended-title").textContent = title;
    byId("ended-text").textContent = text;
    byId("ended-note").textContent = call.note ? `“${call.note}”` : "";
    byId("ended-note").hidden = !call.note;
    byId("ended-time").textContent = call.seconds === null ? "" : `You talked for ${duration(call.seconds)}.`;
    byId("ended-time").hidden = call.seconds === null;
    const by = call.end.by === "local" ? "this side" : "the other side";
    byId("ended-detail").textContent = `${call.end.reason}, by ${by}${call.end.text ? `: ${call.end.text}` : ""}`;
    byId("again").replaceChildren(icon("again"), call.seconds === null ? "Try again" : "Call again");
    document.body.classList.toggle("with-talk", !this.#chat.isEmpty && call.seconds !== null);
    document.body.classList.remove("with-side");
    show("ended", title);
    byId("ended").focus();
    announce(`${title}. ${call.note ?? text}`);
  }
}

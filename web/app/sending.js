// What is sent of a call that is up: the own tracks, and a screen in the place of the camera.

/** The senders of one `RTCPeerConnection`, by kind. */
export class Sending {
  #target;
  #stream;
  #senders = {};
  /** The screen that is shared. */
  screen = null;

  constructor(target, stream) {
    this.#target = target;
    this.#stream = stream ?? new MediaStream();
    for (const sender of target.getSenders()) if (sender.track) this.#senders[sender.track.kind] ??= sender;
  }

  /** Sends this track of its kind instead of the one before. Where none was sent, the two sides negotiate. */
  async put(kind, track) {
    const sender = this.#senders[kind];
    if (sender) await sender.replaceTrack(track);
    else if (track) this.#senders[kind] = this.#target.addTrack(track, this.#stream);
  }

  /** Shares a screen or a window, which the user chooses; `onend` when that is over. */
  async share(camera, onend) {
    const shared = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: false });
    const [track] = shared.getVideoTracks();
    track.contentHint = "detail";
    this.screen = shared;
    track.addEventListener("ended", () => this.unshare(camera()).then(onend));
    await this.put("video", track);
  }

  /** Sends the camera again, if there is one. */
  async unshare(camera) {
    if (!this.screen) return;
    for (const track of this.screen.getTracks()) track.stop();
    this.screen = null;
    if (this.#target.connectionState !== "closed") await this.put("video", camera).catch(() => {});
  }

  /** The camera or the microphone is another one. */
  async replace(kind, track) {
    if (kind === "video" && this.screen) return;
    await this.put(kind, track);
  }
}

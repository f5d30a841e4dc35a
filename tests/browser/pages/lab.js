// What the scenarios do inside a page: Skapi's client, with everything it says written down.

window.lab = {
  /** What the realtime callback was given, in order. */
  realtime: [],
  /** What the callback of each call was given, by the peer's cid. */
  rtc: {},
  /** The last incoming call, as the client handed it over. */
  incoming: null,
  /** With what every call is accepted at once, if it is. */
  accepts: null,
  /** What `connectRTC` gave a caller. */
  call: null,
  /** The resolved connection of the last call, whoever placed it. */
  connection: null,
  /** Errors that nobody caught. */
  errors: [],

  /** Makes the client, which looks for its service. */
  boot(service, owner, ...rest) {
    window.skapi = new Skapi(service, owner, ...rest);
  },

  /** Writes down what the realtime connection says. */
  onRealtime(event) {
    lab.realtime.push(event);
    if (event.type !== "rtc:incoming") return;
    lab.incoming = event;
    if (lab.accepts) lab.accept(lab.accepts);
  },

  onRtc(peer) {
    lab.rtc[peer] ??= [];
    return (event) => {
      lab.rtc[peer].push(event);
      if (event.type === "track") {
        document.getElementById("remote").srcObject = event.streams[0] ?? new MediaStream([event.track]);
      }
      if (event.type === "open") event.target.binaryType = "arraybuffer";
    };
  },

  /** Calls a peer; the connection is there when the peer has accepted. */
  async dial(cid, params = {}) {
    lab.connection = null;
    lab.call = await skapi.connectRTC({ cid, ...params }, lab.onRtc(cid));
    lab.call.connection.then((connection) => lab.take(connection));
  },

  /** Accepts the last incoming call. */
  async accept(params = {}) {
    const { incoming } = lab;
    lab.take(await incoming.connectRTC(params, lab.onRtc(incoming.sender_cid)));
  },

  take(connection) {
    lab.connection = connection;
    if (connection?.media) document.getElementById("local").srcObject = connection.media;
  },

  /** The realtime events of a type, without their functions. */
  events(type) {
    return lab.realtime.filter((event) => event.type === type).map((event) => JSON.parse(JSON.stringify(event)));
  },

  /** Everything that came over a data channel of the peer, texts as they are and bytes as lists. */
  received(cid, label) {
    return (lab.rtc[cid] ?? [])
      .filter((event) => event.type === "message" && (!label || event.target.label === label))
      .map((event) => (typeof event.data === "string" ? event.data : [...new Uint8Array(event.data)]));
  },

  channel(label) {
    return lab.connection.channels[label];
  },

  /** What is seen and heard of the peer. */
  async media() {
    const video = document.getElementById("remote");
    const seen = { width: video.videoWidth, time: video.currentTime, frames: 0, energy: 0 };
    for (const report of (await lab.connection.target.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      if (report.kind === "video") seen.frames += report.framesDecoded ?? 0;
      if (report.kind === "audio") seen.energy += report.totalAudioEnergy ?? 0;
    }
    return seen;
  },
};

window.addEventListener("error", (event) => lab.errors.push(String(event.message)));
window.addEventListener("unhandledrejection", (event) => lab.errors.push(String(event.reason?.message ?? event.reason)));

// How good the connection is: figures of the browser, once a second, and what they mean.

const EVERY_MS = 1000;
/** Seconds that are remembered. */
const SPAN = 60;

/** Samples `getStats` of a connection. Tells `sample` with `{ rtt, loss, rate, level, samples }`. */
export class Quality extends EventTarget {
  samples = [];
  #target;
  #timer;
  #before = null;

  constructor(target) {
    super();
    this.#target = target;
    this.#timer = setInterval(() => this.#sample(), EVERY_MS);
    this.#sample();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  async #sample() {
    const report = await this.#target.getStats().catch(() => null);
    if (!report || !this.#timer) return;
    const now = read(report);
    const before = this.#before;
    this.#before = now;
    if (!before) return;
    const seconds = (now.at - before.at) / 1000 || 1;
    const [lost, got] = [now.lost - before.lost, now.got - before.got];
    const received = lost + got > 0 ? Math.max(0, lost) / (lost + got) : 0;
    const sample = {
      rtt: now.rtt,
      loss: Math.max(received, now.lostThere) * 100,
      rate: Math.max(0, ((now.bytes - before.bytes) * 8) / seconds),
    };
    this.samples.push(sample);
    if (this.samples.length > SPAN) this.samples.shift();
    const detail = { ...sample, level: level(sample), samples: this.samples };
    this.dispatchEvent(new CustomEvent("sample", { detail }));
  }
}

/** `good`, `fair` or `poor`, by what people notice in a talk (ITU-T G.114, G.1010). */
function level({ rtt, loss }) {
  if (loss > 5 || rtt > 400) return "poor";
  return loss > 1 || rtt > 200 ? "fair" : "good";
}

function read(report) {
  const figures = { at: performance.now(), rtt: null, lost: 0, got: 0, lostThere: 0, bytes: 0 };
  let selected = null;
  for (const stats of report.values()) {
    if (stats.type === "transport" && stats.selectedCandidatePairId) selected = report.get(stats.selectedCandidatePairId);
    if (stats.type === "inbound-rtp") {
      figures.lost += stats.packetsLost ?? 0;
      figures.got += stats.packetsReceived ?? 0;
    }
    if (stats.type === "remote-inbound-rtp") figures.lostThere = Math.max(figures.lostThere, stats.fractionLost ?? 0);
  }
  const inUse = (stats) => stats.type === "candidate-pair" && stats.nominated && stats.state === "succeeded";
  // Not every browser has figures of the transport.
  selected ??= [...report.values()].find(inUse);
  if (selected) {
    figures.rtt = selected.currentRoundTripTime === undefined ? null : selected.currentRoundTripTime * 1000;
    figures.bytes = (selected.bytesReceived ?? 0) + (selected.bytesSent ?? 0);
  }
  return figures;
}

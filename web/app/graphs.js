// The figures of a connection as three small live graphs, each with the same in words.

import { byId, element } from "./view.js";

const WIDTH = 160;
const HEIGHT = 40;
/** Fewer samples than these do not fill a graph. */
const LEAST_SAMPLES = 20;
const SPACE = "http://www.w3.org/2000/svg";

const rate = (bits) => (bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`);
/** What is drawn, how a value is written, and how high the graph is at least. */
const GRAPHS = [
  { key: "rtt", title: "Round trip", write: (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`, least: 50 },
  { key: "loss", title: "Loss", write: (percent) => `${percent.toFixed(1)} %`, least: 5 },
  { key: "rate", title: "Bitrate", write: rate, least: 1e6 },
];
const WORDS = { good: "Good", fair: "Fair", poor: "Poor" };

let drawn = null;

byId("quality").addEventListener("click", () => {
  const open = byId("figures").hidden;
  byId("figures").hidden = !open;
  byId("quality").setAttribute("aria-expanded", String(open));
});

/** Shows the latest figures; nothing without. */
export function draw(sample) {
  byId("quality").hidden = !sample;
  if (!sample) {
    byId("figures").hidden = true;
    byId("quality").setAttribute("aria-expanded", "false");
    drawn = null;
    return;
  }
  drawn ??= begin();
  const rtt = sample.rtt === null ? "" : `, ${GRAPHS[0].write(sample.rtt)}`;
  byId("quality").dataset.level = sample.level;
  byId("quality-text").textContent = `${WORDS[sample.level]}${rtt}`;
  byId("quality").setAttribute("aria-label", `Connection: ${WORDS[sample.level]}${rtt}. Figures`);
  for (const graph of GRAPHS) {
    const values = sample.samples.map((each) => each[graph.key]).filter((value) => value !== null);
    if (values.length) one(graph, values);
  }
}

function begin() {
  const parts = {};
  const figures = GRAPHS.map(({ key, title }) => {
    const svg = document.createElementNS(SPACE, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    const [area, line] = ["area", "line"].map((name) => {
      const path = document.createElementNS(SPACE, "path");
      path.setAttribute("class", name);
      svg.append(path);
      return path;
    });
    const value = element("strong", {});
    parts[key] = { svg, area, line, value };
    return element("div", { class: "graph" }, element("span", {}, title), value, svg);
  });
  byId("figures").replaceChildren(...figures);
  return parts;
}

function one({ key, title, write, least }, values) {
  const { svg, area, line, value } = drawn[key];
  const highest = Math.max(least, ...values) * 1.1;
  const step = WIDTH / (Math.max(LEAST_SAMPLES, values.length) - 1);
  const from = WIDTH - (values.length - 1) * step;
  const points = values.map((each, index) => `${(from + index * step).toFixed(1)} ${(HEIGHT - 1 - (each / highest) * (HEIGHT - 3)).toFixed(1)}`);
  line.setAttribute("d", `M${points.join("L")}`);
  area.setAttribute("d", `M${from.toFixed(1)} ${HEIGHT}L${points.join("L")}L${WIDTH} ${HEIGHT}Z`);
  value.textContent = write(values.at(-1));
  const words = `${title}: ${write(values.at(-1))} now, ${write(Math.min(...values))} to ${write(Math.max(...values))} in the last ${values.length} seconds`;
  svg.setAttribute("aria-label", words);
}

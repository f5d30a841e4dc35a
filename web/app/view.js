// Small things around the elements of the page. What others say gets into it as text, never as HTML.

export const byId = (id) => document.getElementById(id);

/** An element with properties, attributes (of a name with a dash, or `class`) and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class" || key.includes("-")) made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A picture of `icons.svg`; what it means has to be said beside it. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A round button that is on or off: its picture, and what a press will do. */
export function toggle(button, { on, name, label }) {
  button.replaceChildren(icon(name));
  button.setAttribute("aria-pressed", String(on));
  button.setAttribute("aria-label", label);
  button.title = label;
}

/** Shows one of `join`, `lobby`, `calling`, `call`, `ended`. */
export function show(view, title) {
  document.body.dataset.view = view;
  document.title = title;
  byId("place").textContent = view === "calling" || view === "call" ? "Call" : "Lobby";
}

let later;

/** Says something to whoever does not see the page. */
export function announce(text) {
  // The same text twice is only said twice if it was gone in between.
  byId("announce").textContent = "";
  clearTimeout(later);
  later = setTimeout(() => (byId("announce").textContent = text), 50);
}

/** At most so many notices are shown, the latest first. */
const MAX_NOTICES = 4;

/** Shows a notice, in the place of one with the same id; `actions` are labels with functions. */
export function notice(id, text, { kind = "info", actions = {} } = {}) {
  dismiss(id);
  const buttons = Object.entries(actions).map(([label, act]) => {
    const press = () => {
      dismiss(id);
      act();
    };
    return element("button", { type: "button", onclick: press }, label);
  });
  const close = element("button", { type: "button", class: "round plain", "aria-label": "Dismiss" }, icon("close"));
  close.onclick = () => dismiss(id);
  const made = element("div", { class: `notice ${kind}` }, icon("info"), element("p", {}, text), ...buttons, close);
  made.dataset.notice = id;
  byId("notices").prepend(made);
  while (byId("notices").children.length > MAX_NOTICES) byId("notices").lastChild.remove();
}

export function dismiss(id) {
  byId("notices").querySelector(`[data-notice="${id}"]`)?.remove();
}

/** Hues of avatars, all dark enough for white letters. */
const HUES = [174, 205, 232, 262, 292, 330, 12, 32];

/** Writes somebody's initials, on a colour that is always the same for the same name. */
export function face(at, name) {
  const words = name.trim().split(/\s+/);
  const first = (word) => [...(word ?? "")][0] ?? "";
  at.textContent = (first(words[0]) + (words.length > 1 ? first(words.at(-1)) : "")).toUpperCase() || "?";
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  at.style.setProperty("--hue", HUES[sum % HUES.length]);
  at.setAttribute("aria-hidden", "true");
  return at;
}

/** `83` → `1:23` */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** `1536` → `1.5 KB` */
export function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit += 1) bytes /= 1024;
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

/** What somebody else named, short enough to be shown. */
export function short(text, most = 60) {
  const letters = [...String(text ?? "")];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : letters.join("");
}

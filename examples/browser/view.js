// Small things around the elements of the page. What others say gets into it as text, never as HTML.

const MAX_LOG = 200;

export function byId(id) {
  return document.getElementById(id);
}

export function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/** The state of the realtime connection: `on`, `off` or `lost`, and in words. */
export function state(which, words) {
  byId("state").dataset.state = which;
  byId("state").textContent = words;
}

/** Something that the reader has to know; nothing when empty. */
export function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

export function log(text) {
  const line = element("li");
  line.append(element("time", new Date().toLocaleTimeString()), element("span", text));
  const list = byId("log");
  list.append(line);
  if (list.children.length > MAX_LOG) list.firstChild.remove();
  list.scrollTop = list.scrollHeight;
}

/** The beginning of an id, for people. */
export function shorten(id) {
  return `${id.replace("cid:", "").slice(0, 8)}…`;
}

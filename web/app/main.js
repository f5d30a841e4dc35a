// The page: enters the lobby, and puts its parts together.

import { Calls } from "./calls.js";
import { Chat } from "./chat.js";
import { Controls } from "./controls.js";
import { Lobby } from "./lobby.js";
import { LocalMedia } from "./media.js";
import { Presence } from "./presence.js";
import { NeedsToken, Session } from "./session.js";
import { Stage } from "./stage.js";
import { askOthers, tellOthers } from "./tabs.js";
import { Transfers } from "./transfers.js";
import { byId, dismiss, element, face, notice, show } from "./view.js";
import { joinTrouble } from "./words.js";

const NAME = "skapi-rtc-page-name";
/** Of the last call: with whom, for who calls again. */
let last = null;

const session = new Session();
const presence = new Presence(session);
const media = new LocalMedia();
const calls = new Calls(session, presence, media);
const chat = new Chat();
const transfers = new Transfers(chat);
const stage = new Stage(calls, media, chat, () => again());
const controls = new Controls(calls, media, stage);
new Lobby(presence, (person, cids) => place(person, cids));

calls.addEventListener("stage", ({ detail: call }) => {
  const goesOn = call.stage !== "over";
  presence.tellBusy(goesOn);
  if (call.stage === "up") {
    chat.of(call);
    transfers.of(call);
  }
  if (goesOn) return;
  last = { id: call.user, name: call.name, cids: call.cids };
  transfers.of(null);
  chat.of(null);
});
for (const type of ["open", "message", "close"]) {
  calls.addEventListener(type, ({ detail: event }) => {
    if (!(event.target instanceof RTCDataChannel)) return;
    if (type === "open") event.target.binaryType = "arraybuffer";
    if (transfers.takes(event) || controls.takes(event) || type !== "message") return;
    chat.heard(typeof event.data === "string" ? event.data : "(bytes)");
  });
}

function place(person, cids) {
  for (const id of ["missed", "media", "chat"]) dismiss(id);
  // What is tried out goes on in the call.
  calls.place(person, cids);
}

/** Calls the same person again, at the devices that are there now. */
function again() {
  const person = presence.people().find(({ id }) => id === last.id);
  const there = person?.devices.filter((device) => !device.isThis).map((device) => device.cid) ?? [];
  const same = there.filter((cid) => last.cids.includes(cid));
  if (!there.length) return notice("missed", `${last.name} is not here any more.`, { kind: "warn" });
  place({ id: last.id, name: last.name }, same.length ? same : there);
}

byId("join-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = byId("join-form").querySelector("button");
  const name = byId("name").value.trim();
  if (!name) return;
  button.disabled = true;
  dismiss("join");
  try {
    await session.join(name, byId("token").value.trim());
    entered(name);
  } catch (error) {
    if (error instanceof NeedsToken) {
      byId("token-field").hidden = false;
      byId("token").required = true;
      byId("token").focus();
    } else {
      notice("join", joinTrouble(error), { kind: "bad" });
    }
  } finally {
    button.disabled = false;
  }
});

function entered(name) {
  keep(name);
  tellOthers(name);
  byId("me").replaceChildren(face(element("span", { class: "avatar" }), name), element("span", {}, name));
  byId("me").hidden = false;
  show("lobby", "Lobby");
  byId("people").querySelector("button")?.focus();
}

/** The name from before, unless another tab has it: two tabs of one name are two devices of one person. */
function welcome() {
  byId("name").value = sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "";
  askOthers((name) => {
    const hint = byId("other-tab");
    hint.hidden = false;
    hint.textContent = `${name} is here in another tab. With the same name this tab is one more device of ${name}; take another name to call yourself.`;
    if (byId("name").value === name && !sessionStorage.getItem(NAME)) byId("name").value = "";
  });
}

function keep(name) {
  try {
    sessionStorage.setItem(NAME, name);
    localStorage.setItem(NAME, name);
  } catch {
    // without room, or where the user does not allow it, the name is typed again
  }
}

addEventListener("pagehide", () => session.leave());
welcome();

// The page: signs in, joins the group, and hands over what the realtime connection says.

import { Calls } from "./calls.js";
import { loadClient, SERVICE, OWNER, session } from "./client.js";
import { People } from "./people.js";
import { byId, log, notice, shorten, state } from "./view.js";

/** The document's group, unless the address names another one. */
const GROUP = new URLSearchParams(location.search).get("group") || "RTCCall";
/** Skapi's client tries once, 3 s after the connection broke, and never again. */
const RECONNECT_MS = 10_000;

let skapi;
let people;
let calls;
let reconnecting;

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    await join(byId("name").value.trim());
    byId("sign-in").hidden = true;
    document.querySelector("main").hidden = false;
  } catch (error) {
    notice(error.message);
    button.disabled = false;
  }
});

async function join(name) {
  await loadClient();
  skapi ??= new Skapi(SERVICE, OWNER);
  const found = await skapi.getConnectionInfo().catch(() => null);
  if (!found) throw new Error("The service cannot be reached.");
  const user = await skapi.loginWithToken(await session(name));
  byId("me").textContent = `You are ${user.name ?? shorten(user.user_id)}`;
  byId("me").hidden = false;
  people = new People(skapi, (cid) => calls.place(cid));
  calls = new Calls(skapi, people);
  state("off", "connecting");
  skapi.connectRealtime(onRealtime);
}

async function onRealtime(event) {
  switch (event.type) {
    case "success":
      clearTimeout(reconnecting);
      state("on", "connected");
      notice("");
      // After a reconnect the client joins again by itself, which does no harm to do twice.
      await skapi.joinRealtime({ group: GROUP });
      log(`connected, and in the group ${GROUP}`);
      return people.refresh(GROUP);
    case "reconnect":
      state("lost", "connection lost, trying again");
      clearTimeout(reconnecting);
      reconnecting = setTimeout(lost, RECONNECT_MS);
      return;
    case "close":
      return state("off", "not connected");
    case "error":
      return log(`error: ${event.message}`);
    case "notice":
      return onNotice(event);
    case "message":
    case "private":
      return log(`${await people.name(event.sender)}: ${JSON.stringify(event.message)}`);
    case "rtc:incoming":
      return calls.incoming(event);
    case "rtc:closed":
      return calls.closed(event.sender_cid);
  }
}

async function onNotice(event) {
  const { sender, sender_cid: cid, code } = event;
  if (sender === skapi.user.user_id) return;
  log(`${await people.name(sender)} ${code === "USER_JOINED" ? "has joined" : "has left"}`);
  if (code !== "USER_JOINED") return people.left(cid);
  await people.joined(sender, cid);
  if (byId("auto").checked && calls.isIdle()) calls.place(cid);
}

/** A call goes on without the service; nothing else does. */
function lost() {
  state("lost", "connection lost");
  notice("The service cannot be reached. Reload the page to connect again; a call that is up goes on without it.");
}

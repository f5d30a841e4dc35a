// What goes wrong is said in plain words, and costs nobody the connection.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

async function goesOn(user) {
  await user.run(() => skapi.postRealtime("still here", "RTCCall"));
  await user.event("message", { message: "still here" });
}

scenario("a message to a group one is not in is refused", async (lab) => {
  await lab.service();
  const { alice } = await lab.pair();
  await alice.sendRaw(JSON.stringify({ action: "broadcast", rid: "elsewhere", content: "x", token: "x" }));
  const error = await alice.event("error", { code: "NOT_IN_GROUP" });
  assert.match(error.message, /elsewhere/);
  // The client itself knows better, too.
  const own = await alice.run(() => skapi.postRealtime("x", "elsewhere").catch((e) => e.message));
  assert.match(own, /has not joined/);
  await goesOn(alice);
});

scenario("frames that cannot be read are refused one by one", async (lab) => {
  await lab.service();
  const { alice } = await lab.pair();
  const frames = ["{", "[]", "null", "1", '"text"', "{}", '{"action":7}', '{"action":"rtc"}'];
  for (const frame of frames) await alice.sendRaw(frame);
  await alice.sendRaw('{"action":"fly"}');
  await alice.event("error", { code: "UNKNOWN_ACTION" });
  await alice.until((count) => lab.events("error").length === count, frames.length + 1, "an error for each");
  const errors = await alice.run(() => lab.events("error"));
  for (const { message } of errors) assert.match(message, /\w+ \w+/);
  await goesOn(alice);
});

scenario("nobody is bothered by what goes to somebody who is not there", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  await alice.run((id) => skapi.postRealtime("x", id), crypto.randomUUID());
  await alice.run(() => lab.dial("cid:nobody"));
  await alice.run(() => lab.call.hangup());
  await goesOn(alice);
  assert.deepEqual(await alice.run(() => lab.events("error")), []);
});

scenario("whoever sends too fast is told so once a second, and goes on", async (lab) => {
  await lab.service(["--frame-burst", "20", "--frames-per-second", "20"]);
  const alice = await lab.member("alice");
  await alice.run(async () => {
    const socket = await skapi.__socket;
    for (let n = 0; n < 100; n += 1) socket.send('{"action":"keepAlive"}');
  });
  const error = await alice.event("error", { code: "TOO_FAST" });
  assert.match(error.message, /\w+ \w+/);
  await alice.until(
    async () => {
      await skapi.postRealtime("still here", "RTCCall");
      return lab.events("message").some((event) => event.message === "still here");
    },
    undefined,
    "to be heard again",
  );
});

scenario("what the client refuses by itself, it refuses", async (lab) => {
  await lab.service();
  const early = await lab.user("early");
  const fault = (user, fn) => user.run(`(${fn})().then(() => "no error", (error) => error.message)`);
  assert.match(await fault(early, () => skapi.joinRealtime({ group: "g" })), /No realtime connection/);
  assert.match(await fault(early, () => skapi.postRealtime("x", "g")), /No realtime connection/);
  assert.match(await fault(early, () => skapi.connectRTC({ cid: "cid:x" }, () => {})), /No realtime connection/);
  const alice = await lab.member("alice");
  assert.match(await fault(alice, () => skapi.postRealtime("x", "")), /No recipient/);
  assert.match(await fault(alice, () => skapi.joinRealtime({ group: 7 })), /must be a string/);
  assert.match(await fault(alice, () => skapi.connectRTC({ cid: "x" }, () => {})), /valid connection id/);
  assert.match(await fault(alice, () => skapi.connectRTC({ cid: "cid:x" })), /Callback is required/);
  assert.match(await fault(alice, () => skapi.closeRTC({})), /"cid" is required/);
  assert.match(
    await fault(alice, () => skapi.connectRTC({ cid: "cid:y", channels: ["gaming", "gaming"] }, () => {})),
    /already exists/,
  );
});

// What docs/guide/skapi-js.md says of Skapi's client is so. A new version of it may mend some of this.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

const CHANNEL = { channels: ["text-chat"] };

async function inCall(lab, params = CHANNEL) {
  const { alice, bob } = await lab.pair();
  await alice.run(([cid, p]) => lab.dial(cid, p), [bob.cid, params]);
  await bob.rings();
  await bob.run(() => lab.accept());
  await Promise.all([alice.talks(), bob.talks()]);
  return { alice, bob };
}

scenario("quirk: contents that are nothing to JavaScript never reach the page", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  for (const nothing of [0, false, ""]) {
    await alice.run((x) => skapi.postRealtime(x, "RTCCall"), nothing);
    await alice.run(([x, id]) => skapi.postRealtime(x, id), [nothing, bob.id]);
  }
  await alice.run(() => skapi.postRealtime({ value: 0 }, "RTCCall"));
  await bob.event("message", { message: { value: 0 } });
  assert.equal((await bob.run(() => lab.events("message"))).length, 1);
  assert.deepEqual(await bob.run(() => lab.events("private")), []);
});

scenario("quirk: a change in the middle of a call rings again", async (lab) => {
  await lab.service();
  const { alice, bob } = await inCall(lab);
  await alice.run(() => {
    const stream = document.createElement("canvas").captureStream();
    lab.connection.target.addTrack(stream.getTracks()[0], stream);
  });
  await bob.until(() => lab.events("rtc:incoming").length === 2, undefined, "the second ring");
  // The client has answered by itself, so the page has nothing to do.
  await alice.until(() => lab.connection.target.signalingState === "stable");
  await bob.run(() => lab.channel("text-chat").send("still here"));
  await alice.until((cid) => lab.received(cid).includes("still here"), bob.cid, "the text");
});

scenario("quirk: a call that is refused leaves its promise open", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  await alice.run((cid) => lab.dial(cid), bob.cid);
  await bob.rings();
  await bob.run(() => lab.incoming.hangup());
  await alice.hungUp(bob.cid);
  await alice.run(() => (lab.settled = false));
  const settled = await alice.run(() => {
    const mark = () => (lab.settled = true);
    lab.call.connection.then(mark, mark);
    return new Promise((resolve) => setTimeout(() => resolve(lab.settled)));
  });
  assert.equal(settled, false);
});

scenario("quirk: the caller's own MediaStream becomes a picture of one dot", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  const kinds = await alice.run(async (cid) => {
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    await lab.dial(cid, { media });
    media.getTracks().forEach((track) => track.stop());
    return skapi.__mediaStream.getTracks().map((track) => track.kind);
  }, bob.cid);
  assert.deepEqual(kinds, ["video"]);
});

scenario("quirk: frames of one's own user are ignored, so two tabs of one user cannot call", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  const other = await lab.member("alice again", { id: alice.id });
  const cid = await other.until(
    async ([id, first]) =>
      (await skapi.getRealtimeUsers({ group: "RTCCall", user_id: id })).list.find((entry) => entry.cid !== first)?.cid,
    [alice.id, alice.cid],
  );
  await alice.run((to) => lab.dial(to), cid);
  await alice.run((id) => skapi.postRealtime("after the call", id), alice.id);
  await other.event("private", { message: "after the call" });
  assert.equal(await other.run(() => lab.incoming), null);
});

scenario("quirk: closing the last channel ends the call", async (lab) => {
  await lab.service();
  const { alice, bob } = await inCall(lab);
  await alice.channel("text-chat");
  await alice.run(() => lab.channel("text-chat").close());
  await alice.until(() => lab.connection.target.connectionState === "closed", undefined, "the end");
  await bob.hungUp(alice.cid);
});

scenario("quirk: closeRTC of anybody turns the camera of every call off", async (lab) => {
  await lab.service();
  const { alice } = await inCall(lab, { ...CHANNEL, media: { audio: true, video: true } });
  const states = await alice.run(async () => {
    await skapi.closeRTC({ cid: "cid:somebody-else" });
    return lab.connection.media.getTracks().map((track) => track.readyState);
  });
  assert.deepEqual(states, ["ended", "ended"]);
  assert.equal(await alice.run(() => lab.connection.target.connectionState), "connected");
});

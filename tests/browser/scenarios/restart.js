// The service is restarted in the middle of a call.

import assert from "node:assert/strict";

import { GROUP } from "../harness/lab.js";
import { scenario } from "../harness/runner.js";

const MEDIA = { media: { audio: true, video: true } };

/** Waits until the client has come back, and is in its group again. */
async function isBack(user) {
  await user.until(() => lab.events("success").length === 2, undefined, "the reconnect");
  const cid = await user.until(
    async ([group, id]) => (await skapi.getRealtimeUsers({ group, user_id: id })).list[0]?.cid,
    [GROUP, user.id],
    "to be in the group again",
  );
  assert.notEqual(cid, user.cid, "a new connection has a new id");
}

scenario("browser ↔ browser: the service is restarted, and the call goes on", async (lab) => {
  const service = await lab.service();
  const { alice, bob } = await lab.pair();
  await alice.run(([cid, p]) => lab.dial(cid, p), [bob.cid, MEDIA]);
  await bob.rings();
  await bob.run((p) => lab.accept(p), MEDIA);
  await Promise.all([alice.talks(), bob.talks()]);
  await alice.sees();
  await service.restart();
  await Promise.all([isBack(alice), isBack(bob)]);
  for (const user of [alice, bob]) {
    await user.sees();
    assert.equal(await user.run(() => lab.connection.target.connectionState), "connected");
  }
  await alice.run((group) => skapi.postRealtime("still here", group), GROUP);
  await bob.event("message", { message: "still here" });
});

scenario("browser → peer: the service is restarted, and the call goes on", async (lab) => {
  const service = await lab.service();
  const peer = await lab.listener();
  const alice = await lab.member("alice");
  await alice.run(([cid, p]) => lab.dial(cid, { ...p, channels: ["text-chat"] }), [peer.cid, MEDIA]);
  await alice.talks();
  await alice.sees();
  await service.restart();
  await isBack(alice);
  await alice.sees();
  await alice.run(() => lab.channel("text-chat").send("still here"));
  await alice.until((cid) => lab.received(cid).includes("still here"), peer.cid, "the echo");
  await alice.run(() => lab.connection.hangup());
});

scenario("peer → browser: the service is restarted, and the call goes on", async (lab) => {
  const service = await lab.service();
  const alice = await lab.member("alice");
  const peer = lab.caller(alice.cid);
  const cid = await alice.rings();
  await alice.run(() => lab.accept());
  await alice.talks();
  await alice.channel("default");
  await service.restart();
  await isBack(alice);
  peer.type("still here");
  await alice.until((from) => lab.received(from).includes("still here"), cid, "the text");
});

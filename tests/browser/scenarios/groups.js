// Groups: joining, switching, leaving, and what everybody is told of it.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

scenario("one joins, the others are told, and nobody is told of itself", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  const bob = await lab.member("bob");
  const notice = await alice.event("notice", { code: "USER_JOINED" });
  assert.deepEqual(
    [notice.sender, notice.sender_cid, notice.sender_rid, notice.message],
    [bob.id, bob.cid, "RTCCall", `User "${bob.id}" has joined the message group.`],
  );
  // What comes after it has arrived, so its own notice would have, too.
  await alice.run(() => skapi.postRealtime("hello", "RTCCall"));
  await bob.event("message", { message: "hello" });
  assert.deepEqual(await bob.run(() => lab.events("notice")), []);
  assert.equal((await alice.run(() => lab.events("notice"))).length, 1);
});

scenario("one switches the group, and each group is told its half", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair("old");
  const carol = await lab.member("carol", { group: "new" });
  const joined = await bob.run(() => skapi.joinRealtime({ group: "new" }));
  assert.deepEqual(joined, { type: "success", message: 'Joined realtime message group: "new".' });
  const left = await alice.event("notice", { code: "USER_LEFT" });
  assert.deepEqual([left.sender, left.sender_cid, left.sender_rid], [bob.id, bob.cid, "old"]);
  assert.equal(left.message, `User "${bob.id}" has left the message group.`);
  const there = await carol.event("notice", { code: "USER_JOINED" });
  assert.deepEqual([there.sender, there.sender_rid], [bob.id, "new"]);
});

scenario("one leaves by null or by an empty name, and is still reached in private", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  for (const group of [null, ""]) {
    await bob.join("RTCCall");
    const gone = await bob.run((name) => skapi.joinRealtime({ group: name }), group);
    assert.equal(gone.message, "Left realtime message group.");
    await alice.until(async () => (await skapi.getRealtimeUsers({ group: "RTCCall" })).list.length === 1);
  }
  await alice.event("notice", { code: "USER_LEFT", sender: bob.id });
  await alice.run((id) => skapi.postRealtime("psst", id), bob.id);
  await bob.event("private", { message: "psst", sender: alice.id });
});

scenario("closeRealtime ends the connection, and the group is told", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  await bob.run(() => skapi.closeRealtime());
  await bob.event("close", { message: "WebSocket connection closed." });
  const notice = await alice.event("notice", { sender: bob.id, sender_cid: bob.cid, code: "USER_DISCONNECTED" });
  assert.equal(
    notice.message,
    `User "${bob.id}" has been disconnected. User has left the message group.`,
  );
  const refusal = await bob.run(() => skapi.postRealtime("x", "RTCCall").catch((error) => error.message));
  assert.match(refusal, /No realtime connection/);
  // And it can come back.
  await bob.connect();
  await bob.join("RTCCall");
  await alice.event("notice", { code: "USER_JOINED", sender: bob.id, sender_cid: bob.cid });
});

scenario("a tab closed without goodbye is noticed", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  await bob.vanish();
  await alice.event("notice", { code: "USER_DISCONNECTED", sender: bob.id, sender_cid: bob.cid });
});

scenario("peers of ours and browsers share a group", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  const peer = await lab.listener();
  await alice.event("notice", { code: "USER_JOINED", sender: "echo", sender_cid: peer.cid });
  await peer.program.stop();
  await alice.event("notice", { sender: "echo", sender_cid: peer.cid, code: "USER_DISCONNECTED" });
});

scenario("connectRealtime wants a function", async (lab) => {
  await lab.service();
  const alice = await lab.user("alice");
  const fault = await alice.run(() => skapi.connectRealtime("no").catch((error) => error.message));
  assert.match(fault, /must be a function/);
});

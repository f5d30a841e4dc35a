// Our own client for pages, as WebAssembly: with peers of ours, with tabs of its own kind, and with Skapi's.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

const OURS = { client: "ours" };
const THEIRS = { client: "skapi-js" };
const MEDIA = { media: { audio: true, video: true } };

/** Alice calls Bob on these clients, who accepts. */
async function inCall(lab, ofAlice, ofBob, params = {}) {
  const [alice, bob] = await Promise.all([lab.member("alice", ofAlice), lab.member("bob", ofBob)]);
  await alice.run(([cid, p]) => lab.dial(cid, p), [bob.cid, params]);
  assert.equal(await bob.rings(), alice.cid);
  await bob.run((p) => lab.accept(p), params.media ? { media: params.media } : {});
  await Promise.all([alice.talks(), bob.talks()]);
  return { alice, bob };
}

/** Both see, hear and reach each other, until Alice hangs up. */
async function wholeCall(lab, ofAlice, ofBob) {
  await lab.service();
  const { alice, bob } = await inCall(lab, ofAlice, ofBob, { ...MEDIA, channels: ["text-chat"] });
  for (const [user, other] of [
    [alice, bob],
    [bob, alice],
  ]) {
    await user.sees();
    await user.hears();
    await user.channel("text-chat");
    await user.run((text) => lab.channel("text-chat").send(text), `hello from ${user.name}`);
    const hello = `hello from ${user.name}`;
    await other.until(([cid, text]) => lab.received(cid, "text-chat").includes(text), [user.cid, hello], hello);
  }
  await alice.run(() => lab.connection.hangup());
  await bob.hungUp(alice.cid);
  for (const user of [alice, bob]) {
    await user.until(() => lab.connection.target.connectionState === "closed", undefined, "the end");
    const off = () => lab.connection.media.getTracks().every((track) => track.readyState === "ended");
    await user.until(off, undefined, "the camera to be off");
    // Skapi's own complains of services of Skapi's that are not there.
    const errors = await user.run(() => lab.errors.filter((text) => text !== "Failed to fetch"));
    assert.deepEqual(errors, []);
  }
}

scenario("our client ↔ our client: both see, hear and reach each other", (lab) => wholeCall(lab, OURS, OURS));

scenario("our client → Skapi's: both see, hear and reach each other", (lab) => wholeCall(lab, OURS, THEIRS));

scenario("Skapi's → our client: both see, hear and reach each other", (lab) => wholeCall(lab, THEIRS, OURS));

scenario("our client: a stream of the page's own is the page's after the call, too", async (lab) => {
  await lab.service();
  const [alice, bob] = await Promise.all([lab.member("alice", OURS), lab.member("bob", OURS)]);
  await alice.run(async (cid) => {
    lab.own = await navigator.mediaDevices.getUserMedia({ video: true });
    await lab.dial(cid, { media: lab.own });
  }, bob.cid);
  await bob.rings();
  await bob.run(() => lab.accept());
  await Promise.all([alice.talks(), bob.talks()]);
  await bob.sees();
  assert.ok(await alice.run(() => lab.connection.media === lab.own), "it is the very stream");
  await bob.run(() => lab.connection.hangup());
  await alice.hungUp(bob.cid);
  assert.equal(await alice.run(() => lab.own.getTracks()[0].readyState), "live");
});

scenario("our client: a page finds out why a call ended", async (lab) => {
  await lab.service();
  const [alice, bob] = await Promise.all([lab.member("alice", OURS), lab.member("bob", OURS)]);
  const why = (user) => user.until(() => lab.events("rtc:closed").pop(), undefined, "the end");
  await alice.run((cid) => {
    // Not waited for: the call is not up before Bob has been asked.
    lab.dial(cid).then(() => lab.call.connection.catch((error) => (lab.refused = error.code)));
  }, bob.cid);
  await bob.rings();
  await bob.run(() => lab.incoming.hangup());
  const declined = await why(alice);
  assert.deepEqual([declined.reason, declined.by, declined.sender_cid], ["declined", "remote", bob.cid]);
  assert.equal(await alice.until(() => lab.refused), "declined");
  await alice.run(() => lab.realtime.splice(0));
  await bob.run(() => (lab.incoming = null));

  // The same two can talk at once, without anything that a page would have to do.
  await alice.run((cid) => lab.dial(cid), bob.cid);
  await bob.rings();
  await alice.run(() => lab.call.hangup());
  assert.equal((await why(alice)).reason, "cancelled");
  await bob.until(() => lab.events("rtc:closed").some((event) => event.reason === "cancelled"));
  assert.equal(await bob.run(() => lab.incoming.connectRTC({}, () => {})), null);
});

scenario("our client → peer: texts and bytes come back as they went, and the peer hangs up", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice", OURS);
  const peer = await lab.listener();
  await alice.run((cid) => lab.dial(cid, { channels: ["text-chat"] }), peer.cid);
  await alice.talks();
  await alice.channel("text-chat");
  await alice.run(() => {
    lab.channel("text-chat").send("grüß dich");
    lab.channel("text-chat").send(new Uint8Array([0, 1, 255]));
  });
  const back = await alice.until(
    (cid) => lab.received(cid, "text-chat").length === 2 && lab.received(cid, "text-chat"),
    peer.cid,
    "the echo",
  );
  assert.deepEqual(back, ["grüß dich", [0, 1, 255]]);
  await peer.program.stop();
  await alice.hungUp(peer.cid);
});

scenario("our client: what a page sends at once when a channel opens arrives, and leaves its buffer", async (lab) => {
  await lab.service();
  const [alice, bob] = await Promise.all([lab.member("alice", OURS), lab.member("bob", OURS)]);
  // By then Chromium has said itself that the channel is open, and drops now and then what is sent so early.
  await bob.run(() => {
    const onRtc = lab.onRtc;
    lab.onRtc = (peer) => {
      const on = onRtc(peer);
      return (event) => {
        on(event);
        if (event.type !== "open") return;
        lab.opened = { times: (lab.opened?.times ?? 0) + 1, early: lab.received(peer).length };
        for (let number = 0; number < 50; number++) {
          event.target.send(String(number));
          // Each is on its way before the next one comes.
          for (const until = performance.now() + 0.2; performance.now() < until; );
        }
      };
    };
  });
  await alice.run((cid) => lab.dial(cid, { channels: ["text-chat"] }), bob.cid);
  await bob.rings();
  await bob.run(() => lab.accept());
  await Promise.all([alice.talks(), bob.talks()]);
  const all = await alice.until(
    (cid) => lab.received(cid).length === 50 && lab.received(cid),
    bob.cid,
    "everything that Bob has sent",
  );
  assert.deepEqual(all, [...Array(50).keys()].map(String));
  await bob.until(() => lab.channel("text-chat").bufferedAmount === 0, undefined, "the buffer to be empty");
  assert.deepEqual(await bob.run(() => lab.opened), { times: 1, early: 0 });
});

scenario("our client: a service that is restarted is found again, and the group with it", async (lab) => {
  const { port, program } = await lab.service();
  const [alice, bob] = await Promise.all([lab.member("alice", OURS), lab.member("bob", OURS)]);
  await program.stop();
  for (const user of [alice, bob]) await user.event("reconnect");
  await lab.service([], port);
  for (const user of [alice, bob]) {
    await user.until(() => lab.events("success").length === 2, undefined, "the connection");
  }
  await bob.until(
    async (group) => (await skapi.getRealtimeUsers({ group })).list.length === 2,
    "RTCCall",
    "both to be in the group again",
  );
  await alice.run(() => skapi.postRealtime({ hello: "again" }, "RTCCall"));
  await bob.event("message", { message: { hello: "again" } });
});

scenario("our client: a token that is not valid is said to be the reason", async (lab) => {
  await lab.service();
  const alice = await lab.tab("alice", OURS);
  const code = await alice.run(async (url) => {
    const skapi = new Skapi({ url, token: "no token" });
    return skapi.connectRealtime(() => {}).catch((error) => error.code);
  }, lab.url);
  assert.equal(code, "INVALID_TOKEN");
});

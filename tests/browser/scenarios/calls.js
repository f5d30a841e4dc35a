// Calls between two browsers: accepted, rejected, taken back, and hung up by either side.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

const MEDIA = { media: { audio: true, video: true } };

/** Alice calls Bob, who accepts. */
async function inCall(lab, params = {}) {
  const { alice, bob } = await lab.pair();
  await alice.run(([cid, p]) => lab.dial(cid, p), [bob.cid, params]);
  assert.equal(await bob.rings(), alice.cid);
  await bob.run((p) => lab.accept(p), params.media ? { media: params.media } : {});
  await Promise.all([alice.talks(), bob.talks()]);
  return { alice, bob };
}

async function bothAreAlone(alice, bob) {
  for (const user of [alice, bob]) {
    await user.until(() => lab.connection.target.connectionState === "closed", undefined, "the end");
    const off = () => (lab.connection.media?.getTracks() ?? []).every((track) => track.readyState === "ended");
    await user.until(off, undefined, "the camera to be off");
  }
}

scenario("browser ↔ browser: both see and hear each other", async (lab) => {
  await lab.service();
  const { alice, bob } = await inCall(lab, MEDIA);
  for (const user of [alice, bob]) {
    await user.sees();
    await user.hears();
    assert.equal(await user.run(() => lab.connection.media.getTracks().length), 2);
  }
});

scenario("browser ↔ browser: the caller hangs up", async (lab) => {
  await lab.service();
  const { alice, bob } = await inCall(lab, MEDIA);
  await alice.run(() => lab.connection.hangup());
  await bob.hungUp(alice.cid);
  await bothAreAlone(alice, bob);
});

scenario("browser ↔ browser: the callee hangs up, and they call again", async (lab) => {
  await lab.service();
  const { alice, bob } = await inCall(lab, MEDIA);
  await bob.run(() => lab.connection.hangup());
  await alice.hungUp(bob.cid);
  await bothAreAlone(alice, bob);
  await bob.run(() => (lab.incoming = null));
  await alice.run(([cid, p]) => lab.dial(cid, p), [bob.cid, MEDIA]);
  await bob.rings();
  await bob.run((p) => lab.accept(p), MEDIA);
  await Promise.all([alice.talks(), bob.talks()]);
  await alice.sees();
});

scenario("browser ↔ browser: the callee rejects", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  await alice.run((cid) => lab.dial(cid), bob.cid);
  await bob.rings();
  await bob.run(() => lab.incoming.hangup());
  await alice.hungUp(bob.cid);
  assert.equal(await alice.run(() => lab.connection), null);
});

scenario("browser ↔ browser: after a reject and closeRTC the same two can talk", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  for (const end of ["reject", "cancel"]) {
    await bob.run(() => (lab.incoming = null));
    await alice.run((cid) => lab.dial(cid), bob.cid);
    await bob.rings();
    if (end === "reject") {
      await bob.run(() => lab.incoming.hangup());
    } else {
      await alice.run(() => lab.call.hangup());
    }
    await bob.hungUp(alice.cid);
    // What the guide tells every page to do.
    await bob.run((cid) => skapi.closeRTC({ cid }), alice.cid);
    await bob.run(() => lab.realtime.splice(0));
  }
  await bob.run(() => (lab.incoming = null));
  await alice.run((cid) => lab.dial(cid), bob.cid);
  await bob.rings();
  await bob.run(() => lab.accept());
  await Promise.all([alice.talks(), bob.talks()]);
});

scenario("browser ↔ browser: the caller takes it back", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  await alice.run((cid) => lab.dial(cid), bob.cid);
  await bob.rings();
  await alice.run(() => lab.call.hangup());
  await bob.hungUp(alice.cid);
  // It does not ring any more, so there is nothing to accept.
  assert.equal(await bob.run(() => lab.incoming.connectRTC({}, () => {})), null);
});

scenario("browser ↔ browser: closeRTC ends one call or all", async (lab) => {
  await lab.service();
  const { alice, bob } = await inCall(lab);
  await alice.run((cid) => skapi.closeRTC({ cid }), bob.cid);
  await bob.hungUp(alice.cid);
  await bob.run(() => (lab.incoming = null));
  await alice.run(() => lab.realtime.splice(0));
  await alice.run((cid) => lab.dial(cid), bob.cid);
  await bob.rings();
  await bob.run(() => lab.accept());
  await Promise.all([alice.talks(), bob.talks()]);
  await bob.run(() => skapi.closeRTC({ close_all: true }));
  await alice.hungUp(bob.cid);
});

scenario("browser ↔ browser: the callee's tab is closed without goodbye", async (lab) => {
  await lab.service();
  const { alice, bob } = await inCall(lab);
  await bob.vanish();
  await alice.event("notice", { code: "USER_DISCONNECTED", sender_cid: bob.cid });
  // Its browser notices by itself that nobody is there any more, and the client closes.
  await alice.until(
    (cid) => lab.rtc[cid].some((e) => e.type === "connectionstatechange" && e.state === "closed"),
    bob.cid,
    "the call to end",
  );
});

scenario("browser ↔ browser: every preset and a channel of one's own, in both directions", async (lab) => {
  await lab.service();
  const own = { ordered: true, protocol: "own-protocol" };
  const channels = ["text-chat", "file-transfer", "video-chat", "voice-chat", "gaming", own];
  const { alice, bob } = await inCall(lab, { channels });
  const labels = [...channels.slice(0, 5), "own-protocol"];
  for (const user of [alice, bob]) for (const label of labels) await user.channel(label);
  for (const [from, to] of [[alice, bob], [bob, alice]]) {
    for (const label of labels) {
      await from.run((name) => lab.channel(name).send(`on ${name}`), label);
      await to.until(
        ([cid, name]) => lab.received(cid, name).includes(`on ${name}`),
        [from.cid, label],
        `the message on ${label}`,
      );
    }
  }
});

scenario("browser ↔ browser: the documented events of a call are told", async (lab) => {
  await lab.service();
  const { alice, bob } = await inCall(lab, MEDIA);
  for (const [user, peer] of [[alice, bob.cid], [bob, alice.cid]]) {
    await user.channel("default");
    await user.run(() => lab.channel("default").send("ping"));
  }
  for (const [user, peer] of [[alice, bob.cid], [bob, alice.cid]]) {
    const wanted = ["track", "connectionstatechange", "open", "message", "icecandidate", "icegatheringstatechange"];
    wanted.push("signalingstatechange", "iceconnectionstatechange");
    for (const type of wanted) {
      await user.until(
        ([cid, kind]) => lab.rtc[cid].some((event) => event.type === kind),
        [peer, type],
        `the event ${type}`,
      );
    }
  }
});

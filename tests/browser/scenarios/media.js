// What is seen and heard between a browser and a peer of ours.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

const MEDIA = { media: { audio: true, video: true } };

scenario("browser → peer: picture and sound come back and play", async (lab) => {
  await lab.service();
  const peer = await lab.listener();
  const alice = await lab.member("alice");
  await alice.run(([cid, p]) => lab.dial(cid, p), [peer.cid, MEDIA]);
  await alice.talks();
  await alice.sees();
  await alice.hears();
  await alice.run(() => lab.connection.hangup());
  await peer.program.expect("ended");
});

scenario("browser → peer: sound only, and a picture only", async (lab) => {
  await lab.service();
  const peer = await lab.listener();
  const alice = await lab.member("alice");
  await alice.run((cid) => lab.dial(cid, { media: { audio: true, video: false } }), peer.cid);
  await alice.talks();
  await alice.hears();
  await alice.run(() => lab.connection.hangup());
  await peer.program.expect("ended");
  await alice.run((cid) => lab.dial(cid, { media: { audio: false, video: true } }), peer.cid);
  await alice.talks();
  await alice.sees();
});

/** Adds another picture to the call with a peer, and waits until the peer has agreed. */
async function addPicture(alice, cid) {
  await alice.run(() => {
    const canvas = document.createElement("canvas");
    const paint = canvas.getContext("2d");
    let hue = 0;
    setInterval(() => {
      paint.fillStyle = `hsl(${(hue += 7)} 90% 50%)`;
      paint.fillRect(0, 0, canvas.width, canvas.height);
    }, 40);
    const stream = canvas.captureStream(25);
    // The client offers by itself when the connection says that it has to.
    lab.connection.target.addTrack(stream.getVideoTracks()[0], stream);
  });
  await alice.until(
    (cid) => lab.rtc[cid].some((event) => event.type === "negotiationneeded"),
    cid,
    "the negotiation",
  );
  await alice.until(
    () => {
      const { signalingState, currentRemoteDescription } = lab.connection.target;
      return signalingState === "stable" && currentRemoteDescription.sdp.match(/^m=video/gm).length === 2;
    },
    undefined,
    "the answer",
  );
}

scenario("browser → peer: a second picture is added in the middle of the call", async (lab) => {
  await lab.service();
  const peer = await lab.listener();
  const alice = await lab.member("alice");
  await alice.run(([cid, p]) => lab.dial(cid, p), [peer.cid, MEDIA]);
  await alice.talks();
  await alice.sees();
  await addPicture(alice, peer.cid);
  await alice.sees();
  assert.equal(await alice.run(() => lab.connection.target.connectionState), "connected");
});

scenario("browser → peer on str0m: picture, sound and data come back, and a second picture is added", async (lab) => {
  await lab.service();
  const peer = await lab.listener(["--engine", "str0m"]);
  const alice = await lab.member("alice");
  await alice.run(([cid, p]) => lab.dial(cid, p), [peer.cid, MEDIA]);
  await alice.talks();
  await alice.sees();
  await alice.hears();
  await addPicture(alice, peer.cid);
  await alice.sees();
  await alice.run(() => lab.connection.hangup());
  await peer.program.expect("ended");
});

scenario("peer on str0m → browser: it rings, and the peer's picture and sound play", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  lab.caller(alice.cid, ["--media", "test", "--engine", "str0m"]);
  await alice.rings();
  await alice.run((p) => lab.accept(p), MEDIA);
  await alice.talks();
  await alice.sees();
  await alice.hears();
});

scenario("peer → browser: it rings, and the peer's picture and sound play", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  const peer = lab.caller(alice.cid, ["--media", "test"]);
  const cid = await alice.rings();
  await alice.run((p) => lab.accept(p), MEDIA);
  await alice.talks();
  await alice.sees();
  await alice.hears();
  await alice.run(() => lab.connection.hangup());
  await peer.exit;
  assert.match(peer.transcript(), /hung up/);
  assert.equal(cid, await alice.run(() => lab.incoming.sender_cid));
});

scenario("peer → browser: the browser has no camera and sees the peer all the same", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  lab.caller(alice.cid, ["--media", "test"]);
  await alice.rings();
  await alice.run(() => lab.accept());
  await alice.talks();
  await alice.sees();
});

/** How long it takes from `connectRTC` to the first picture of the other side. */
async function firstPicture(alice, cid) {
  return alice.run(
    async ([to, media]) => {
      const video = document.getElementById("remote");
      video.srcObject = null;
      const shown = new Promise((resolve) => video.requestVideoFrameCallback(() => resolve(performance.now())));
      const begun = performance.now();
      await lab.dial(to, media);
      const took = (await shown) - begun;
      (await lab.call.connection).hangup();
      return took;
    },
    [cid, MEDIA],
  );
}

scenario("how soon the first picture is there, from a peer of ours and from a browser", async (lab) => {
  await lab.service();
  const peer = await lab.listener();
  const { alice, bob } = await lab.pair();
  await bob.run((media) => (lab.accepts = media), MEDIA);
  const took = { peer: [], browser: [] };
  for (let round = 0; round < 5; round += 1) {
    for (const [whom, cid] of [["peer", peer.cid], ["browser", bob.cid]]) {
      took[whom].push(await firstPicture(alice, cid));
      await alice.until(() => lab.connection.target.connectionState === "closed");
    }
  }
  const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const [ours, theirs] = [median(took.peer), median(took.browser)];
  console.log(
    `  first picture: ${ours.toFixed(0)} ms from a peer of ours, ${theirs.toFixed(0)} ms from a browser; ` +
      `ratio ${(ours / theirs).toFixed(2)}`,
  );
});

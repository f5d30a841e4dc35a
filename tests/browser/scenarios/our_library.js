// The library itself in a page, compiled from Rust: its calls with programs of ours and with another page.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

for (const engine of ["webrtc", "str0m"]) {
  scenario(`library in a page → program on ${engine}: messages, bulk, and who hung up`, async (lab) => {
    await lab.service();
    const page = await lab.rustClient("page");
    const peer = await lab.listener(["--engine", engine]);
    await page.run(async (cid) => {
      window.talk = await client.call(cid);
      await talk.echoed();
    }, peer.bare);
    const most = await page.run(() => talk.bulk(8));
    assert.ok(most > 0 && most <= 1_200_000, `${most} bytes were buffered at most`);
    assert.equal(await page.run(() => talk.hangup()), "HungUp by Local");
    const { reason } = await peer.program.expect("ended");
    assert.match(reason, /hung up/);
    // And the other way round: the program ends.
    await page.run(async (cid) => {
      window.talk = await client.call(cid);
      await talk.echoed();
    }, peer.bare);
    const ended = page.run(() => talk.ended());
    await peer.program.stop();
    assert.equal(await ended, "HungUp by Remote");
  });

  scenario(`program on ${engine} → library in a page: it is called, echoes, and is hung up`, async (lab) => {
    await lab.service();
    const page = await lab.rustClient("page");
    const talking = page.run(async () => {
      window.talk = await client.accept();
      talk.echo();
    });
    const peer = lab.caller(`cid:${page.cid}`, ["--engine", engine, "--ping", "20"]);
    await talking;
    assert.equal(await page.run(() => talk.ended()), "HungUp by Remote");
    assert.equal((await peer.exit).code, 0, peer.transcript());
  });
}

scenario("library in a page ↔ library in a page: messages and bulk both ways, and who hung up", async (lab) => {
  await lab.service();
  const [alice, bob] = await Promise.all([lab.rustClient("alice"), lab.rustClient("bob")]);
  const accepted = bob.run(async () => {
    window.talk = await client.accept();
    talk.echo();
  });
  await alice.run(async (cid) => {
    window.talk = await client.call(cid);
  }, bob.cid);
  await accepted;
  await alice.run(() => talk.echoed());
  const most = await alice.run(() => talk.bulk(8));
  assert.ok(most > 0 && most <= 1_200_000, `${most} bytes were buffered at most`);
  const ended = bob.run(() => talk.ended());
  assert.equal(await alice.run(() => talk.hangup()), "HungUp by Local");
  assert.equal(await ended, "HungUp by Remote");
});

/** Puts the tracks that come into the page's `<video>`, and waits until pictures are decoded. */
async function plays(user) {
  await user.run(async () => {
    window.seen = document.getElementById("remote");
    seen.srcObject = new MediaStream(await talk.tracks(2));
  });
  const frames = () => seen.videoWidth > 0 && seen.getVideoPlaybackQuality().totalVideoFrames > 5;
  await user.until(frames, undefined, "pictures");
  const direction = ["Outbound audio true", "Outbound video true", "Inbound audio true", "Inbound video true"];
  const flows = async (wanted) => {
    const packets = await talk.packets();
    return wanted.every((line) => packets.includes(line));
  };
  await user.until(flows, direction, "packets of all tracks");
}

scenario("library in a page ↔ library in a page: camera and microphone, seen in a <video>", async (lab) => {
  await lab.service();
  const [alice, bob] = await Promise.all([lab.rustClient("alice"), lab.rustClient("bob")]);
  const kinds = await alice.run(() => rust("devices"));
  for (const kind of ["audioinput", "videoinput"]) assert.ok(kinds.includes(kind), `${kind} among ${kinds}`);
  const accepted = bob.run(async () => {
    window.talk = await client.accept(await rust("camera"));
  });
  await alice.run(async (cid) => {
    window.talk = await client.call(cid, await rust("camera"));
  }, bob.cid);
  await accepted;
  await Promise.all([plays(alice), plays(bob)]);
  const ended = bob.run(() => talk.ended());
  await alice.run(() => talk.hangup());
  await ended;
});

scenario("library in a page ↔ program: camera and microphone come back and are seen; the screen is added", async (lab) => {
  await lab.service();
  const page = await lab.rustClient("page");
  const peer = await lab.listener();
  await page.run(async (cid) => {
    window.talk = await client.call(cid, await rust("camera"));
  }, peer.bare);
  await plays(page);
  const codecs = await page.run(async () => talk.add(await rust("screen")));
  assert.match(codecs.join(), /Negotiated/);
  await page.run(() => talk.hangup());
});

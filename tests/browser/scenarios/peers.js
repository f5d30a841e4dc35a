// Calls between a browser and a peer of ours, in both directions.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { scenario } from "../harness/runner.js";

const MIB = 1 << 20;

/** Alice calls a peer of ours, which accepts. */
async function calls(lab, params = {}, args = []) {
  const peer = await lab.listener(args);
  const alice = await lab.member("alice");
  await alice.run(([cid, p]) => lab.dial(cid, p), [peer.cid, params]);
  await alice.talks();
  return { alice, peer };
}

/** A peer of ours calls Alice, who accepts. */
async function isCalled(lab, args = [], params = {}) {
  const alice = await lab.member("alice");
  const peer = lab.caller(alice.cid, args);
  const cid = await alice.rings();
  await alice.run((p) => lab.accept(p), params);
  await alice.talks();
  return { alice, peer, cid };
}

const isOver = (user) => user.until(() => lab.connection.target.connectionState === "closed", undefined, "the end");

scenario("browser → peer: texts and bytes come back as they went", async (lab) => {
  await lab.service();
  const channels = ["text-chat", "file-transfer", "video-chat", "voice-chat", "gaming", { ordered: true, protocol: "own" }];
  const { alice, peer } = await calls(lab, { channels });
  for (const label of ["text-chat", "file-transfer", "video-chat", "voice-chat", "gaming", "own"]) {
    await alice.channel(label);
    await alice.run((name) => {
      const channel = lab.channel(name);
      channel.send(`100% of ${name} 👍`);
      channel.send(new Uint8Array([0, 1, 254, 255]));
    }, label);
    const got = await alice.until(
      ([cid, name]) => lab.received(cid, name).length === 2 && lab.received(cid, name),
      [peer.cid, label],
      `the echo on ${label}`,
    );
    assert.deepEqual(got.map(String).sort(), [`100% of ${label} 👍`, "0,1,254,255"].sort());
  }
});

scenario("browser → peer: the default channel, and the browser hangs up", async (lab) => {
  await lab.service();
  const { alice, peer } = await calls(lab);
  await alice.channel("default");
  await alice.run(() => lab.channel("default").send("hello"));
  await alice.until((cid) => lab.received(cid, "default").includes("hello"), peer.cid, "the echo");
  await alice.run(() => lab.connection.hangup());
  const end = await peer.program.expect("ended");
  assert.match(end.reason, /hung up/);
});

/** Keeps a tab and its peers from telling each other where they are reached over UDP. */
function leaveOutUdp() {
  const { addIceCandidate, setRemoteDescription } = RTCPeerConnection.prototype;
  const { set } = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, "onicecandidate");
  Object.defineProperty(RTCPeerConnection.prototype, "onicecandidate", {
    set(listener) {
      set.call(this, (event) => isUdp(event.candidate?.candidate) || listener(event));
    },
  });
  const isUdp = (candidate) => candidate?.split(" ")[2]?.toLowerCase() === "udp";
  RTCPeerConnection.prototype.addIceCandidate = function (candidate, ...rest) {
    if (isUdp(candidate?.candidate)) return Promise.resolve();
    return addIceCandidate.call(this, candidate, ...rest);
  };
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }, ...rest) {
    const kept = sdp.split("\r\n").filter((line) => !(line.startsWith("a=candidate:") && isUdp(line)));
    return setRemoteDescription.call(this, { type, sdp: kept.join("\r\n") }, ...rest);
  };
}

scenario("browser → peer: over TCP, where UDP leads nowhere", async (lab) => {
  await lab.service();
  const peer = await lab.listener(["--engine", "str0m", "--ice-tcp"]);
  const alice = await lab.member("alice");
  await alice.run(leaveOutUdp);
  await alice.run((cid) => lab.dial(cid, { channels: ["text-chat"] }), peer.cid);
  await alice.talks();
  await alice.channel("text-chat");
  await alice.run(() => lab.channel("text-chat").send("hello"));
  await alice.until((cid) => lab.received(cid, "text-chat").includes("hello"), peer.cid, "the echo");
  const protocol = await alice.run(async () => {
    const stats = [...(await lab.connection.target.getStats()).values()];
    const pair = stats.find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded");
    return stats.find(({ id }) => id === pair.remoteCandidateId).protocol;
  });
  assert.equal(protocol, "tcp");
  await alice.run(() => lab.connection.hangup());
  assert.match((await peer.program.expect("ended")).reason, /hung up/);
});

scenario("browser → peer: the peer leaves, and the browser learns it", async (lab) => {
  await lab.service();
  const { alice, peer } = await calls(lab);
  await peer.program.stop();
  await alice.hungUp(peer.cid);
  await isOver(alice);
});

scenario("browser → peer: the tab is closed without goodbye", async (lab) => {
  await lab.service();
  const { alice, peer } = await calls(lab);
  await alice.vanish();
  await peer.program.expect("ended");
});

scenario("browser → peer: one call after the other", async (lab) => {
  await lab.service();
  const { alice, peer } = await calls(lab);
  for (let round = 0; round < 3; round += 1) {
    await alice.run(() => lab.connection.hangup());
    await isOver(alice);
    await alice.run((cid) => lab.dial(cid), peer.cid);
    await alice.talks();
    await alice.channel("default");
  }
});

scenario("browser → peer: the call is taken back at once, and placed again", async (lab) => {
  await lab.service();
  const peer = await lab.listener();
  const alice = await lab.member("alice");
  await alice.run(async (cid) => {
    await lab.dial(cid);
    lab.call.hangup();
  }, peer.cid);
  // Its client cannot tell the answers to two calls apart: one that is late would be taken for the next.
  await peer.program.expect("missed");
  await alice.run((cid) => lab.dial(cid), peer.cid);
  await alice.talks();
  await alice.channel("default");
});

scenario("browser → peer: a file of 8 MiB goes to the disk of the peer", async (lab) => {
  await lab.service();
  const folder = await lab.folder();
  const channels = [{ ordered: true, protocol: "skapi-rtc.file.1" }];
  const { alice, peer } = await calls(lab, { channels }, ["--save-dir", folder]);
  await alice.channel("skapi-rtc.file.1");
  const sent = await alice.run(async ([cid, size]) => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const channel = lab.channel("skapi-rtc.file.1");
    const heard = (key) =>
      new Promise((resolve) => {
        const look = () => {
          const found = lab.received(cid).map((text) => JSON.parse(text)).find((answer) => key in answer);
          if (found) resolve(found);
          else setTimeout(look, 10);
        };
        look();
      });
    channel.send(JSON.stringify({ name: "holiday.jpg", size }));
    await heard("accept");
    channel.bufferedAmountLowThreshold = 1 << 19;
    for (let at = 0; at < size; at += 16_384) {
      if (channel.bufferedAmount > 1 << 20) {
        await new Promise((resolve) => channel.addEventListener("bufferedamountlow", resolve, { once: true }));
      }
      channel.send(bytes.subarray(at, at + 16_384));
    }
    channel.send(JSON.stringify({ sha256 }));
    return { sha256, receipt: await heard("received") };
  }, [peer.cid, 8 * MIB]);
  assert.deepEqual(sent.receipt, { received: 8 * MIB, sha256: sent.sha256 });
  const stored = await readFile(join(folder, "holiday.jpg"));
  assert.equal(createHash("sha256").update(stored).digest("hex"), sent.sha256);
});

scenario("browser → peer: 8 MiB on a channel come back, and have the same hash", async (lab) => {
  await lab.service();
  const { alice } = await calls(lab, { channels: [{ ordered: true, protocol: "bulk" }] });
  await alice.channel("bulk");
  const [sent, got] = await alice.run(async (size) => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    const channel = lab.channel("bulk");
    const back = new Uint8Array(size);
    const complete = new Promise((resolve) => {
      let at = 0;
      channel.addEventListener("message", ({ data }) => {
        back.set(new Uint8Array(data), at);
        at += data.byteLength;
        if (at === size) resolve();
      });
    });
    channel.bufferedAmountLowThreshold = 1 << 19;
    for (let at = 0; at < size; at += 16_384) {
      if (channel.bufferedAmount > 1 << 20) {
        await new Promise((resolve) => channel.addEventListener("bufferedamountlow", resolve, { once: true }));
      }
      channel.send(bytes.subarray(at, at + 16_384));
    }
    await complete;
    const hash = async (all) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", all))].join();
    return [await hash(bytes), await hash(back)];
  }, 8 * MIB);
  assert.equal(got, sent);
});

scenario("peer → browser: it rings, the browser accepts, and answers", async (lab) => {
  await lab.service();
  const { alice, peer, cid } = await isCalled(lab, ["--message", "100% <b>👍"]);
  await alice.until((from) => lab.received(from, "default").length, cid, "the message");
  assert.deepEqual(await alice.run((from) => lab.received(from, "default"), cid), ["100% <b>👍"]);
  await alice.run(() => lab.channel("default").send("back"));
  await peer.expect("message");
  await alice.hungUp(cid);
  await isOver(alice);
  assert.equal((await peer.exit).code, 0);
});

scenario("peer → browser: the browser hangs up", async (lab) => {
  await lab.service();
  const { alice, peer, cid } = await isCalled(lab);
  await alice.channel("default");
  peer.type("typed by the caller");
  await alice.until((from) => lab.received(from, "default").includes("typed by the caller"), cid, "the text");
  await alice.run(() => lab.connection.hangup());
  await peer.exit;
  assert.match(peer.transcript(), /hung up/);
});

scenario("peer → browser: the browser rejects, and accepts the next time", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  const refused = lab.caller(alice.cid);
  await alice.rings();
  await alice.run(() => lab.incoming.hangup());
  await refused.exit;
  assert.match(refused.transcript(), /declined/);
  await alice.run(() => (lab.incoming = null));
  lab.caller(alice.cid);
  await alice.rings();
  await alice.run(() => lab.accept());
  await alice.talks();
});

scenario("peer → browser: nobody accepts, and it stops ringing", async (lab) => {
  await lab.service();
  const alice = await lab.member("alice");
  const peer = lab.caller(alice.cid, ["--timeout", "1s"]);
  const cid = await alice.rings();
  await alice.hungUp(cid);
  await peer.exit;
  assert.equal(await alice.run(() => lab.incoming.connectRTC({}, () => {})), null);
});

scenario("peer → browser: a file of 8 MiB", async (lab) => {
  await lab.service();
  const path = join(await lab.folder(), "photo.raw");
  const bytes = randomBytes(8 * MIB);
  await writeFile(path, bytes);
  const alice = await lab.member("alice");
  // A page that takes files as the specification says.
  await alice.run(() => {
    lab.onRtc = () => (event) => {
      if (event.type === "open") event.target.binaryType = "arraybuffer";
      if (event.type !== "message" || event.target.protocol !== "skapi-rtc.file.1") return;
      const channel = event.target;
      if (typeof event.data !== "string") return lab.chunks.push(event.data);
      const said = JSON.parse(event.data);
      if ("size" in said) {
        lab.chunks = [];
        lab.file = said;
        channel.send(JSON.stringify({ accept: true }));
      } else if ("sha256" in said) {
        lab.check = new Blob(lab.chunks).arrayBuffer().then(async (all) => {
          const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
          const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
          channel.send(JSON.stringify({ received: all.byteLength, sha256 }));
          return sha256;
        });
      }
    };
  });
  const peer = lab.caller(alice.cid, ["--send-file", path]);
  await alice.rings();
  await alice.run(() => lab.accept());
  const hash = await alice.until(() => lab.check, undefined, "the file");
  assert.equal(hash, createHash("sha256").update(bytes).digest("hex"));
  assert.deepEqual(await alice.run(() => lab.file), { name: "photo.raw", size: 8 * MIB });
  assert.equal((await peer.exit).code, 0);
});

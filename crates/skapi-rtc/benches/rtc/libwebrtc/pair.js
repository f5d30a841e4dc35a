// Google's libwebrtc in one process, without signaling: set-up, echo and throughput of a data channel.
// Reads a command a line (`setup`, `echo TIMES`, `transfer SIZE COUNT`) and answers with a line of JSON.

"use strict";

const readline = require("node:readline");
const { setTimeout: delay } = require("node:timers/promises");
const { RTCPeerConnection } = require("@roamhq/wrtc");

const now = () => Number(process.hrtime.bigint()) / 1e9;
const event = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));

// A candidate that comes after the end.
const closed = () => {};

async function connect() {
  const left = new RTCPeerConnection();
  const right = new RTCPeerConnection();
  left.onicecandidate = ({ candidate }) => candidate && right.addIceCandidate(candidate).catch(closed);
  right.onicecandidate = ({ candidate }) => candidate && left.addIceCandidate(candidate).catch(closed);
  const from = left.createDataChannel("x");
  from.binaryType = "arraybuffer";
  const opened = event(from, "open");
  const incoming = event(right, "datachannel");

  const start = now();
  await left.setLocalDescription(await left.createOffer());
  await right.setRemoteDescription(left.localDescription);
  await right.setLocalDescription(await right.createAnswer());
  await left.setRemoteDescription(right.localDescription);
  const to = (await incoming).channel;
  to.binaryType = "arraybuffer";
  if (to.readyState !== "open") await event(to, "open");
  await opened;
  const seconds = now() - start;
  return { from, to, seconds, close: () => (left.close(), right.close()) };
}

async function setup() {
  const pair = await connect();
  pair.close();
  return pair.seconds;
}

async function echo(times) {
  const pair = await connect();
  pair.to.onmessage = ({ data }) => pair.to.send(data);
  const payload = new Uint8Array(64).fill(1);
  const measured = [];
  for (let i = 0; i < times; i += 1) {
    const answer = event(pair.from, "message");
    const start = now();
    pair.from.send(payload);
    await answer;
    measured.push(now() - start);
  }
  pair.close();
  return measured;
}

async function transfer(size, count) {
  const HIGH = 1024 * 1024;
  const pair = await connect();
  const payload = new Uint8Array(size).fill(7);
  const start = now();
  const arrived = new Promise((resolve) => {
    let left = count;
    pair.to.onmessage = () => {
      left -= 1;
      if (left === 0) resolve();
    };
  });
  for (let i = 0; i < count; i += 1) {
    // Its `bufferedamountlow` does not come.
    while (pair.from.bufferedAmount > HIGH) await delay(1);
    pair.from.send(payload);
  }
  await arrived;
  const seconds = now() - start;
  pair.close();
  return seconds;
}

const COMMANDS = { setup, echo, transfer };

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...args] = line.trim().split(" ");
    console.log(JSON.stringify(await COMMANDS[name](...args.map(Number))));
  }
  process.exit(0);
}

main();

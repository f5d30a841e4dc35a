// Our client in tabs that are hidden: they live on, and are back at once when they are shown again.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { launchSleepy } from "../harness/hidden.js";
import { GROUP, OWNER, SERVICE } from "../harness/lab.js";
import { scenario } from "../harness/runner.js";
import { session } from "../harness/tokens.js";

/** From a second after it was hidden, a tab's own timers go once a minute; otherwise that is after five minutes. */
const THROTTLED = ["--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1"];

/** Somebody who is in the group, in a tab that can be hidden. Every frame that leaves is written down. */
async function member(lab, flags) {
  const browser = await launchSleepy(flags);
  lab.after(() => browser.close());
  const tab = await browser.tab(lab.pages.of("ours"));
  const token = session({ user: randomUUID(), service: SERVICE }).idToken;
  await tab.run(
    async ({ url, token, service, owner, group }) => {
      lab.sent = [];
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (frame) {
        lab.sent.push(String(frame));
        return send.call(this, frame);
      };
      window.skapi = new Skapi({ url, token, service, owner });
      await skapi.connectRealtime(lab.onRealtime);
      await skapi.joinRealtime({ group });
    },
    { url: lab.url, token, service: SERVICE, owner: OWNER, group: GROUP },
  );
  return tab;
}

const connections = (tab) => tab.run(() => lab.events("success").length);

/** Waits until the tab is connected once more, and gives how many milliseconds that took. */
async function backAfter(tab, before) {
  const begun = Date.now();
  await tab.until((count) => lab.events("success").length > count, "the connection", before);
  return Date.now() - begun;
}

async function isInGroup(tab) {
  const found = async (group) => (await skapi.getRealtimeUsers({ group })).list.length === 1;
  await tab.until(found, "to be in the group again", GROUP);
}

scenario("hidden tab: one that slept while its service was restarted is back when it is shown", async (lab) => {
  const { program, port } = await lab.service();
  const tab = await member(lab);
  await tab.hide();
  await tab.freeze();
  await program.stop();
  await lab.service([], port);
  const before = await connections(tab);
  await tab.show();
  const took = await backAfter(tab, before);
  console.log(`  back after ${took} ms`);
  assert.ok(took < 10_000, `it took ${took} ms`);
  await isInGroup(tab);
});

scenario("hidden tab: one that waits for its next attempt tries at once when it is shown", async (lab) => {
  const { program, port } = await lab.service();
  const tab = await member(lab);
  await tab.hide();
  await program.stop();
  // Attempts become rarer; the next one after this is far enough away to tell it from one at once.
  const AWAY = 14;
  await tab.until((away) => lab.events("reconnect").some((event) => event.retry_in > away), "rare attempts", AWAY, 90_000);
  await lab.service([], port);
  const before = await connections(tab);
  await tab.show();
  const took = await backAfter(tab, before);
  console.log(`  back after ${took} ms`);
  assert.ok(took < (AWAY * 1000) / 2, `it took ${took} ms`);
  await isInGroup(tab);
});

scenario("hidden tab: keepAlive goes on where the browser lets a page's timers go once a minute", async (lab) => {
  await lab.service();
  const tab = await member(lab, THROTTLED);
  await tab.hide();
  await tab.run(() => {
    lab.sent.length = 0;
    lab.ticks = [];
    const tick = () => (lab.ticks.push(Date.now()), setTimeout(tick, 500));
    tick();
  });
  const alive = () => lab.sent.filter((frame) => frame.includes("keepAlive")).length >= 3;
  await tab.until(alive, "three signs of life", undefined, 70_000);
  const ticks = await tab.run(() => lab.ticks.length);
  console.log(`  ${ticks} ticks of the page's own`);
  assert.equal(await connections(tab), 1, "the link was never lost");
  assert.ok(ticks < 30, `the page's own timers went ${ticks} times, so nothing was put to the test`);
});

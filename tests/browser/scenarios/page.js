// The page that comes with the project, as people use it.

import assert from "node:assert/strict";
import { copyFile, cp } from "node:fs/promises";
import { join } from "node:path";

import { CLIENT, EXAMPLE, PACKAGE } from "../harness/pages.js";
import { scenario } from "../harness/runner.js";

/** The service with the page, beside which lies the client. */
async function served(lab) {
  const web = await lab.folder();
  await cp(EXAMPLE, web, { recursive: true });
  if (lab.client === "ours") {
    await cp(PACKAGE, web, { recursive: true });
    await copyFile(join(PACKAGE, "skapi-rtc.js"), join(web, "skapi.js"));
  } else {
    await copyFile(CLIENT, join(web, "skapi.js"));
  }
  await lab.service(["--web", web]);
}

/** Somebody who has opened the page and joined by the keyboard. */
async function guest(lab, name, viewport = { width: 1200, height: 900 }) {
  const { page, ...user } = await lab.tab(name, { url: `${lab.url}/`, context: { viewport } });
  assert.equal(user.name, name);
  await page.keyboard.type(name); // the field has the focus
  await page.keyboard.press("Enter");
  await page.locator("#state", { hasText: "connected" }).and(page.locator('[data-state="on"]')).waitFor();
  return page;
}

const inLog = (page, text) => page.locator("#log li", { hasText: text }).first().waitFor();

const plays = (page) =>
  page.waitForFunction(() => {
    const { videoWidth, currentTime } = document.getElementById("remote");
    return videoWidth > 0 && currentTime > 0.5;
  });

scenario("the page: two people find each other by name, talk, and hang up, all by keyboard", async (lab) => {
  await served(lab);
  const alice = await guest(lab, "Alice <b>");
  const bob = await guest(lab, "Bob");
  await inLog(alice, "Bob has joined");
  await bob.getByRole("button", { name: "Call Alice <b>" }).focus();
  await bob.keyboard.press("Enter");
  await alice.getByRole("dialog").getByText("Bob calls you").waitFor();
  await alice.keyboard.press("Enter");
  await Promise.all([plays(alice), plays(bob)]);
  await bob.locator("#text:enabled").fill("100% <i>hello</i>");
  await bob.keyboard.press("Enter");
  await inLog(alice, "Bob: 100% <i>hello</i>");
  await alice.getByRole("button", { name: "Hang up" }).press("Enter");
  for (const page of [alice, bob]) {
    await inLog(page, "is over");
    assert.equal(await page.getByRole("button", { name: "Hang up" }).isDisabled(), true);
  }
});

scenario("the page: a call is rejected, another one taken back, and the third one is taken", async (lab) => {
  await served(lab);
  const alice = await guest(lab, "Alice");
  const bob = await guest(lab, "Bob");
  const call = bob.getByRole("button", { name: "Call Alice" });
  const dialog = alice.getByRole("dialog");
  await call.click();
  await dialog.waitFor();
  await alice.keyboard.press("Escape");
  await inLog(bob, "the call with Alice is over");
  await call.click();
  await dialog.waitFor();
  await bob.getByRole("button", { name: "Hang up" }).click();
  await dialog.waitFor({ state: "hidden" });
  await call.click();
  await dialog.waitFor();
  await alice.keyboard.press("Enter");
  await Promise.all([plays(alice), plays(bob)]);
});

scenario("the page: whoever joins is called, as in Skapi's document", async (lab) => {
  await served(lab);
  const alice = await guest(lab, "Alice");
  await alice.getByLabel("call whoever joins").check();
  const bob = await guest(lab, "Bob");
  await bob.getByRole("dialog").getByText("Alice calls you").waitFor();
  await bob.getByRole("button", { name: "Accept" }).click();
  await Promise.all([plays(alice), plays(bob)]);
});

scenario("the page: a peer of ours is called, and calls", async (lab) => {
  await served(lab);
  await lab.listener();
  const alice = await guest(lab, "Alice");
  await alice.getByRole("button", { name: "Call echo" }).click();
  await plays(alice);
  await alice.locator("#text:enabled").fill("hello");
  await alice.keyboard.press("Enter");
  await inLog(alice, "echo: hello");
  await alice.getByRole("button", { name: "Hang up" }).click();
  await inLog(alice, "the call with echo is over");
  const { list } = await lab.ask("get-ws-group", { group: "RTCCall" });
  const own = list.find(({ uid }) => !uid.endsWith("#echo"));
  lab.caller(`cid:${own.cid}`, ["--media", "test"], "rust");
  await alice.getByRole("dialog").getByText("rust calls you").waitFor();
  await alice.keyboard.press("Enter");
  await inLog(alice, "in a call with rust");
  await plays(alice);
});

scenario("the page: it fits a phone, and says what it shows", async (lab) => {
  await served(lab);
  await lab.listener();
  const phone = await guest(lab, "Phone with a rather long name of its owner", { width: 320, height: 640 });
  await phone.getByRole("button", { name: "Call echo" }).waitFor();
  const { wide, unnamed } = await phone.evaluate(() => ({
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    unnamed: [...document.querySelectorAll("input")].filter((input) => !input.labels.length).length,
  }));
  assert.deepEqual([wide, unnamed], [0, 0]);
});

// The page on our own client as it is seen and read, at every stage, on a desk and on a phone: axe finds nothing
// serious, nothing is wider than the screen, and what is to be touched is large enough. It also takes the
// pictures of the documentation.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import { Guest, servePage } from "../harness/guest.js";
import { paintedCamera } from "../harness/painted.js";
import { scenario } from "../harness/runner.js";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** The least size of what is touched, in CSS pixels (WCAG 2.5.5). */
const TARGET = 44;

const ALICE = paintedCamera("#2f6f8f", "#d8cfc2");
const BOB = paintedCamera("#8a3f5d", "#bcd0d6");

/** What is wrong with what is shown now. */
async function looksWell(guest, stage) {
  const { page } = guest;
  const troubles = await page.evaluate(async ([source, least]) => {
    if (!window.axe) window.eval(source);
    const found = [];
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    for (const { id, impact, help, nodes } of violations) {
      if (impact === "serious" || impact === "critical") found.push(`${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
    }
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`it is ${scrollWidth} pixels wide on ${clientWidth}`);
    for (const one of document.querySelectorAll("button, select, a, summary, input:not([type=file], [type=checkbox]), label:has([type=checkbox])")) {
      const { width, height } = one.getBoundingClientRect();
      if (width && (width < least - 0.5 || height < least - 0.5)) found.push(`small: ${width}×${height} ${one.outerHTML.slice(0, 80)}`);
    }
    const dialog = document.querySelector("dialog[open]");
    for (const button of (dialog ?? document).querySelectorAll("button")) {
      const { left, top, width, height } = button.getBoundingClientRect();
      const [x, y] = [left + width / 2, top + height / 2];
      if (!width || x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue;
      // The messages cover the call on a phone, as they are meant to.
      const over = document.elementFromPoint(x, y);
      if (button !== over && !button.contains(over) && !over?.closest("dialog, .with-side #side")) {
        found.push(`covered: ${button.outerHTML.slice(0, 80)} by ${over?.outerHTML.slice(0, 80)}`);
      }
    }
    return found;
  }, [AXE, TARGET]);
  assert.deepEqual(troubles, [], `${stage}, ${guest.name}`);
}

/** One call from the lobby to its end, looked at and pictured on Alice's side; Bob has a desk. */
async function seen(lab, kind, options) {
  await servePage(lab);
  const alice = await Guest.open(lab, "Alice Moreau", { before: ALICE, ...options });
  await alice.page.getByLabel("Your name").waitFor();
  await looksWell(alice, "entering");
  await alice.page.getByLabel("Your name").fill(alice.name);
  await alice.page.keyboard.press("Enter");
  await alice.finds("Nobody else is here yet.");
  await looksWell(alice, "an empty lobby");

  const bob = await Guest.enter(lab, "Bob Tanaka", { before: BOB });
  await Guest.enter(lab, "Bob Tanaka", { userAgent: "Mozilla/5.0 (iPad; CPU OS 19_0) AppleWebKit/605 Version/19.0 Safari/604" });
  const chiara = await Guest.enter(lab, "Chiara", { userAgent: "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/150.0" });
  await Guest.enter(lab, "Deniz", { userAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) Version/19.0 Safari/605" });
  await chiara.calls("Deniz");
  await alice.page.getByText("In a call", { exact: true }).first().waitFor();
  await alice.person("Bob Tanaka").getByText("2 devices").waitFor();
  await alice.page.getByText("Safari on iPad").waitFor();
  await looksWell(alice, "the lobby");
  // A preview makes the picture a livelier one.
  await alice.button("Try them").click();
  await alice.page.waitForFunction(() => document.getElementById("preview").videoWidth > 2);
  await alice.page.evaluate(() => scrollTo(0, 0));
  await lab.picture(alice.page, `page-lobby-${kind}`);
  await alice.button("Turn off").click();

  await bob.page.getByRole("button", { name: "Call Alice Moreau" }).click();
  await alice.rings("Bob Tanaka");
  await alice.page.evaluate(() => scrollTo(0, 0));
  await looksWell(alice, "ringing");
  await lab.picture(alice.page, `page-ringing-${kind}`);
  await alice.accepts("Bob Tanaka");
  await Promise.all([alice.talks(), bob.talks()]);
  await Promise.all([alice.sees(), bob.sees()]);
  await talk(alice, bob, kind);
  await alice.page.locator("#timer", { hasText: /^(0:[1-5]|[1-9])/ }).waitFor();
  // The first picture of a call is a coarse one; the browsers make it fine as the connection proves good.
  await alice.page.waitForFunction(() => document.getElementById("remote").videoWidth >= 480);
  await looksWell(alice, "a call");
  await alice.page.mouse.move(0, 0);
  await lab.picture(alice.page, `page-call-${kind}`);
  await alice.button("Devices").click();
  await looksWell(alice, "the devices in a call");
  await alice.button("Done").click();

  await bob.button("Hang up").click();
  await alice.ended();
  await looksWell(alice, "the end");
  await lab.picture(alice.page, `page-ended-${kind}`);
}

async function talk(alice, bob, kind) {
  if (kind === "phone") {
    await alice.button("Messages").click();
    await looksWell(alice, "the messages on a phone");
  }
  await bob.says("Hi Alice! Can you see me?");
  await alice.says("Loud and clear. The plan is attached.");
  const plan = { name: "plan-2027.pdf", mimeType: "application/pdf", buffer: Buffer.alloc(1_300_000, 7) };
  await alice.page.setInputFiles("#pick", plan);
  await bob.page.locator("#log .file").getByRole("button", { name: "Accept" }).click();
  await alice.page.locator("#log .file.done").waitFor();
  await bob.page.setInputFiles("#pick", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.alloc(4_200, 32) });
  await alice.page.locator("#log .file").getByRole("button", { name: "Accept" }).waitFor();
  if (kind === "phone") await alice.button("Close messages").click();
  else await alice.button(/^Connection: /).click();
}

scenario("our page: it looks well on a desk, in light colours, and axe finds nothing serious", (lab) =>
  seen(lab, "desktop", { viewport: { width: 1024, height: 640 }, colorScheme: "light" }),
);

scenario("our page: it looks well on a phone, in dark colours, and axe finds nothing serious", (lab) =>
  seen(lab, "phone", { viewport: { width: 390, height: 780 }, colorScheme: "dark", hasTouch: true, isMobile: true }),
);

for (const [width, height, colorScheme] of [[360, 640, "light"], [1440, 900, "dark"]]) {
  scenario(`our page: it fits ${width} × ${height} in ${colorScheme} colours, and stands still where that is wished`, async (lab) => {
    await servePage(lab);
    const look = { viewport: { width, height }, colorScheme, reducedMotion: "reduce" };
    const long = "A rather long name of somebody who has many names";
    const alice = await Guest.enter(lab, long, look);
    const bob = await Guest.enter(lab, "Bob");
    await alice.person("Bob").waitFor();
    await looksWell(alice, "the lobby");
    await bob.page.getByRole("button", { name: `Call ${long}` }).click();
    await alice.rings("Bob");
    await looksWell(alice, "ringing");
    const moves = () => document.getAnimations().filter((one) => one.playState === "running").length;
    assert.equal(await alice.page.evaluate(moves), 0, "nothing moves");
    await alice.accepts("Bob");
    await Promise.all([alice.talks(), bob.talks()]);
    await looksWell(alice, "a call");
    await alice.button("Hang up").click();
    await alice.ended();
    await looksWell(alice, "the end");
  });
}

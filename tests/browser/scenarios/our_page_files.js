// The page on our own client: files, whole or not at all.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { inCall, servePage } from "../harness/guest.js";
import { scenario } from "../harness/runner.js";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const file = (name, buffer) => ({ name, mimeType: "application/octet-stream", buffer });

/** The machine has better things to do here than to encode pictures. */
const NO_CAMERA = { camera: false };

/** The card of a file in somebody's list. */
const card = (guest, name) => guest.page.locator("#log .file", { hasText: name });

scenario("our page: a file arrives with progress, and is the same by SHA-256", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await inCall(lab, NO_CAMERA, NO_CAMERA);
  const bytes = randomBytes(8 * 1024 * 1024 + 17);
  const path = join(await lab.folder(), "holiday.bin");
  await writeFile(path, bytes);
  // Every percentage that was shown, not only the last.
  await bob.page.evaluate(() => {
    window.shown = [];
    const look = () => window.shown.push(document.querySelector("#log progress")?.value ?? 0);
    new MutationObserver(look).observe(document.getElementById("log"), { subtree: true, childList: true, characterData: true });
  });
  await alice.page.setInputFiles("#pick", path);
  await card(alice, "holiday.bin").getByText("Waiting for Bob to accept").waitFor();
  await bob.hearsSaid("Alice wants to send the file holiday.bin");
  await card(bob, "holiday.bin").getByRole("button", { name: "Accept" }).click();
  await card(bob, "holiday.bin").getByText("Received, 8.0 MB, checked").waitFor();
  const [download] = await Promise.all([
    bob.page.waitForEvent("download"),
    card(bob, "holiday.bin").getByRole("link", { name: "Save holiday.bin" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "holiday.bin");
  assert.equal(sha256(await readFile(await download.path())), sha256(bytes));
  await card(alice, "holiday.bin").getByText("Sent, 8.0 MB, checked").waitFor();
  for (const guest of [alice, bob]) {
    assert.equal(await card(guest, "holiday.bin").getAttribute("data-sha256"), sha256(bytes));
  }
  const between = (await bob.page.evaluate(() => window.shown)).filter((value) => value > 0 && value < bytes.length);
  assert.ok(new Set(between).size > 5, `progress was seen: ${between.length} values`);
});

scenario("our page: a file is dropped on the page, one is refused, and an empty one arrives", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await inCall(lab, NO_CAMERA, NO_CAMERA);
  const dropped = await alice.page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped"], "../../dropped.txt"));
    return data;
  });
  await alice.page.dispatchEvent("body", "dragover", { dataTransfer: dropped });
  await alice.finds("Drop files to send them");
  await alice.page.dispatchEvent("body", "drop", { dataTransfer: dropped });
  await card(bob, "dropped.txt").getByRole("button", { name: "Accept" }).click();
  await card(alice, "dropped.txt").getByText("Sent, 7 bytes, checked").waitFor();
  assert.equal(await card(bob, "dropped.txt").locator("strong").textContent(), "dropped.txt", "no folders");

  await bob.page.setInputFiles("#pick", [file("no.bin", randomBytes(1000)), file("empty.bin", Buffer.alloc(0))]);
  await card(alice, "no.bin").getByRole("button", { name: "Refuse" }).click();
  await card(bob, "no.bin").getByText("Not sent: not wanted").waitFor();
  await card(alice, "empty.bin").getByRole("button", { name: "Accept" }).click();
  await card(alice, "empty.bin").getByText("Received, 0 bytes, checked").waitFor();
});

scenario("our page: a transfer that is cut off by the end of the call says so on both sides", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await inCall(lab, NO_CAMERA, NO_CAMERA);
  await alice.page.setInputFiles("#pick", file("never.bin", randomBytes(1000)));
  await card(bob, "never.bin").waitFor();
  await bob.button("Hang up").click();
  await card(bob, "never.bin").getByText("Not received: the call ended before it was done").waitFor();
  await card(alice, "never.bin").getByText(/^Not sent: /).waitFor();
});

// The page on our own client: two people find each other, ring, answer, talk, and read why it ended.

import assert from "node:assert/strict";

import { launch } from "../harness/browser.js";
import { Guest, inCall, servePage, twoGuests } from "../harness/guest.js";
import { scenario } from "../harness/runner.js";

scenario("our page: two people find each other, see each other, write, and hang up", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await twoGuests(lab);
  await alice.calls("Bob");
  await alice.finds("Ringing …");
  await bob.accepts("Alice");
  await Promise.all([alice.talks(), bob.talks()]);
  await Promise.all([alice.sees(), bob.sees()]);
  await alice.says("100% <i>hello</i>");
  await bob.reads("100% <i>hello</i>");
  await bob.says("and back");
  await alice.reads("and back");
  await alice.page.locator("#timer", { hasText: /^0:0[1-9]$/ }).waitFor();
  await alice.button("Hang up").click();
  assert.equal((await alice.ended()).title, "You hung up");
  assert.equal((await bob.ended()).title, "Alice hung up");
  await bob.finds("You talked for");
  // The camera is off again, and both can be called anew.
  for (const guest of [alice, bob]) await guest.button("Back to the lobby").click();
  await bob.calls("Alice");
  await alice.rings("Bob");
});

scenario("our page: a call is answered and ended by the keyboard alone", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await twoGuests(lab);
  await alice.button("Call Bob").focus();
  await alice.page.keyboard.press("Enter");
  const dialog = await bob.rings("Alice");
  await bob.hearsSaid("Alice calls you");
  // The dialog has the focus, and keeps it.
  assert.equal(await dialog.getByRole("button", { name: "Accept", exact: true }).evaluate((it) => it === document.activeElement), true);
  for (let press = 0; press < 12; press += 1) {
    await bob.page.keyboard.press("Tab");
    const outside = await bob.page.evaluate(() => {
      const at = document.activeElement;
      return at !== document.body && !at.closest("dialog");
    });
    assert.equal(outside, false, "the focus left the dialog");
  }
  await dialog.getByRole("button", { name: "Accept", exact: true }).focus();
  await bob.page.keyboard.press("Enter");
  await Promise.all([alice.talks(), bob.talks()]);
  await bob.hearsSaid("In a call with Alice");
  await bob.page.locator("#hang-up").focus();
  await bob.page.keyboard.press("Enter");
  assert.equal((await bob.ended()).title, "You hung up");
  await bob.hearsSaid("You hung up");
});

scenario("our page: declined by Escape, declined in words, busy, taken back, and taken in the end", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await twoGuests(lab);
  await alice.calls("Bob");
  await bob.rings("Alice");
  await bob.page.keyboard.press("Escape");
  assert.deepEqual(await alice.ended(), { title: "Bob declined", text: "It rang, but the call was not wanted now.", note: "" });

  await alice.button("Try again").click();
  let dialog = await bob.rings("Alice");
  await dialog.getByRole("button", { name: "I will call you back" }).click();
  await alice.finds("“I will call you back”");
  assert.equal((await alice.ended()).title, "Bob declined");

  await alice.button("Try again").click();
  dialog = await bob.rings("Alice");
  await dialog.getByRole("button", { name: "I am in another call" }).click();
  assert.equal((await alice.ended()).title, "Bob is busy");

  await alice.button("Try again").click();
  dialog = await bob.rings("Alice");
  await alice.button("Hang up").click();
  assert.equal((await alice.ended()).title, "Call cancelled");
  await dialog.waitFor({ state: "hidden" });
  await bob.finds("You missed a call: Alice.");

  await alice.button("Try again").click();
  await bob.accepts("Alice");
  await Promise.all([alice.sees(), bob.sees()]);
});

scenario("our page: who is in a call is busy for a third one, and the lobby says so", async (lab) => {
  await servePage(lab);
  await inCall(lab);
  const carol = await Guest.enter(lab, "Carol");
  await carol.person("Bob").getByText("In a call", { exact: true }).waitFor();
  await carol.calls("Bob");
  assert.equal((await carol.ended()).title, "Bob is busy");
});

scenario("our page: all devices of a person ring, and the first that accepts has the call", async (lab) => {
  await servePage(lab);
  const [alice, desk] = await Promise.all([Guest.enter(lab, "Alice"), Guest.enter(lab, "Bob")]);
  const phone = await Guest.enter(lab, "Bob", {
    viewport: { width: 390, height: 780 },
    userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1",
  });
  await alice.person("Bob").getByText("2 devices").waitFor();
  await alice.person("Bob").getByText("Safari on iPhone").waitFor();
  await alice.person("Bob").getByText("Chrome on Linux").waitFor();
  await phone.person("Bob").getByText("(this one)").waitFor();
  await alice.calls("Bob");
  const dialog = await desk.rings("Alice");
  await phone.accepts("Alice");
  await Promise.all([alice.talks(), phone.talks()]);
  await dialog.waitFor({ state: "hidden" });
  await Promise.all([alice.sees(), phone.sees()]);
});

scenario("our page: mute, camera off, another camera, and what the other side sees of it", async (lab) => {
  await servePage(lab);
  const browser = await launch(["--use-fake-device-for-media-stream=device-count=3"]);
  lab.after(() => browser.close());
  const { alice, bob } = await inCall(lab, { browser });
  await bob.sees();
  await alice.button("Mute").click();
  await bob.finds("is muted");
  const muted = () => alice.page.evaluate(() => document.getElementById("local").srcObject.getAudioTracks()[0].enabled);
  assert.equal(await muted(), false);
  await alice.button("Unmute").click();
  await bob.page.locator("#their-state").waitFor({ state: "hidden" });
  await alice.button("Turn the camera off").click();
  await bob.page.locator("#remote").waitFor({ state: "hidden" });
  await bob.page.locator("#faceless").waitFor();
  await alice.button("Turn the camera on").click();
  await bob.sees();

  const used = () =>
    alice.page.evaluate(() => document.getElementById("local").srcObject.getVideoTracks()[0].getSettings().deviceId);
  const before = await used();
  await alice.button("Devices").click();
  const cameras = alice.page.getByRole("dialog", { name: "Devices" }).getByLabel("Camera", { exact: true });
  const ids = await cameras.locator("option").evaluateAll((options) => options.map((option) => option.value));
  // The second one of Chromium's cameras takes depths, which no video codec does; the third one is another camera.
  const other = ids.filter((id) => id !== before).pop();
  assert.ok(other, `there is more than one camera in ${JSON.stringify(ids)}`);
  await cameras.selectOption(other);
  await alice.page.waitForFunction(
    (id) => document.getElementById("local").srcObject?.getVideoTracks()[0]?.getSettings().deviceId === id,
    other,
  );
  await alice.button("Done").click();
  await bob.sees();
});

scenario("our page: a screen is shared and taken back, in the place of the camera or without one", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await twoGuests(lab);
  // Bob has no camera on, so that his screen is something new in the call.
  await bob.page.getByLabel("Camera in calls").uncheck();
  await alice.calls("Bob");
  await bob.accepts("Alice");
  const camera = await bob.sees();
  await alice.button("Share the screen").click();
  await bob.finds("shares a screen");
  const shape = ({ width, height }) => `${width}×${height}`;
  await bob.page.waitForFunction((size) => {
    const { videoWidth, videoHeight } = document.getElementById("remote");
    return `${videoWidth}×${videoHeight}` !== size;
  }, shape(camera));
  await bob.sees();
  await alice.button("Stop sharing the screen").click();
  await bob.page.locator("#their-state").waitFor({ state: "hidden" });
  await bob.sees();

  await bob.button("Share the screen").click();
  await alice.finds("shares a screen");
  await alice.sees();
  await bob.button("Stop sharing the screen").click();
  await alice.page.locator("#remote").waitFor({ state: "hidden" });
});

scenario("our page: the figures of the connection are there, as graphs and in words", async (lab) => {
  await servePage(lab);
  const { alice } = await inCall(lab);
  const badge = alice.button(/^Connection: (Good|Fair|Poor)/);
  await badge.click();
  for (const title of ["Round trip", "Loss", "Bitrate"]) {
    const name = new RegExp(`^${title}: .* now, .* to .* in the last ([2-9]|\\d\\d) seconds$`);
    await alice.page.getByRole("img", { name }).waitFor();
  }
  await badge.click();
  await alice.page.locator("#figures").waitFor({ state: "hidden" });
});

scenario("our page ↔ peer: in a terminal it echoes, takes a file, and calls", async (lab) => {
  await servePage(lab);
  const inbox = await lab.folder();
  await lab.listenerIn("lobby", "echo", ["--save-dir", inbox]);
  const alice = await Guest.enter(lab, "Alice");
  await alice.calls("echo");
  await alice.sees();
  await alice.says("hello");
  await alice.page.locator("#log .theirs", { hasText: "hello" }).waitFor();
  await alice.page.setInputFiles("#pick", { name: "note.txt", mimeType: "text/plain", buffer: Buffer.from("a note") });
  await alice.page.locator("#log .file.done").waitFor();
  await alice.button("Hang up").click();
  await alice.ended();
  await alice.button("Back to the lobby").click();
  const { list } = await lab.ask("get-ws-group", { group: "lobby" });
  const own = list.find(({ uid }) => !uid.endsWith("#echo"));
  const all = ["call", `cid:${own.cid}`, "--server", lab.url, "--dev-user", "rust", "--group", "lobby", "--message", "from rust"];
  lab.start("rust", all);
  await alice.accepts("rust");
  await alice.reads("from rust");
});

// Somebody on the page of `web/`, who does what people do there: reads, clicks and types.

import { cp } from "node:fs/promises";
import { join } from "node:path";

import { PACKAGE, WEB } from "./pages.js";
import { until } from "./waiting.js";

/** Serves the page with our client, as `cargo xtask demo` does. */
export async function servePage(lab, args = []) {
  if (!PACKAGE) throw new Error("SKAPI_RTC_PACKAGE must say where our client is; `cargo xtask web` builds it");
  const web = await lab.folder();
  await cp(WEB, web, { recursive: true });
  await cp(PACKAGE, join(web, "client"), { recursive: true });
  return { web, ...(await lab.service(["--web", web, ...args])) };
}

export class Guest {
  /** Opens the page; `before` runs in it before anything of its own does. */
  static async open(lab, name, { before, viewport = { width: 1280, height: 800 }, browser, ...context } = {}) {
    const user = await lab.tab(name, { url: "about:blank", browser, context: { viewport, ...context } });
    if (before) await user.page.addInitScript(before);
    await user.page.goto(`${lab.url}/`);
    return new Guest(name, user);
  }

  /** The same, and enters the lobby by the keyboard; without `camera` calls are made without one. */
  static async enter(lab, name, { camera = true, ...options } = {}) {
    const guest = await Guest.open(lab, name, options);
    await guest.page.locator("#name:focus").waitFor();
    await guest.page.keyboard.press("ControlOrMeta+A");
    await guest.page.keyboard.type(name);
    await guest.page.keyboard.press("Enter");
    await guest.page.locator('#link[data-state="on"]').waitFor();
    if (!camera) await guest.page.getByLabel("Camera in calls").uncheck();
    return guest;
  }

  constructor(name, user) {
    this.name = name;
    this.user = user;
    this.page = user.page;
  }

  button(name, options = {}) {
    return this.page.getByRole("button", { name, ...options });
  }

  /** The entry of somebody in the lobby. */
  person(name) {
    return this.page.locator("#people > li").filter({ has: this.page.locator(`.person strong:text-is("${name}")`) });
  }

  async calls(name) {
    await this.button(`Call ${name}`, { exact: true }).click();
  }

  /** Waits until it rings here, and gives the dialog. */
  async rings(name) {
    const dialog = this.page.getByRole("dialog", { name: `${name} calls you` });
    await dialog.waitFor();
    return dialog;
  }

  async accepts(name) {
    const dialog = await this.rings(name);
    await dialog.getByRole("button", { name: "Accept", exact: true }).click();
  }

  /** Waits until the page shows a call that is up. */
  async talks() {
    await this.page.locator('body[data-view="call"] #stage[data-stage="up"]').waitFor();
  }

  /** Waits until the other side's picture is shown and goes on. */
  async sees() {
    const seen = () =>
      this.page.evaluate(() => {
        const video = document.getElementById("remote");
        const { videoWidth: width, videoHeight: height, currentTime: time } = video;
        return { width, height, time, frames: video.getVideoPlaybackQuality().totalVideoFrames, shown: !video.hidden };
      });
    const first = await until(async () => {
      const now = await seen();
      return now.shown && now.width > 2 && now.frames > 0 && now;
    }, `${this.name} to see the other side`);
    return until(async () => {
      const now = await seen();
      return now.shown && now.time > first.time && now.frames > first.frames + 3 && now;
    }, `the picture at ${this.name} to go on`);
  }

  /** Waits for a message or a file of the list, and gives it. */
  async reads(text) {
    const line = this.page.locator("#log li", { hasText: text }).last();
    await line.waitFor();
    return line;
  }

  async says(text) {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Waits until a text is shown: a notice, a title, a state. */
  async finds(text) {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor();
  }

  /** Waits until the call is over, and gives what the page says of it. */
  async ended() {
    await this.page.locator('body[data-view="ended"] #ended').waitFor();
    const text = (id) => this.page.locator(id).textContent();
    return { title: await text("#ended-title"), text: await text("#ended-text"), note: await text("#ended-note") };
  }

  /** Waits until what was said aloud, for who does not see the page, has this in it. */
  async hearsSaid(text) {
    await this.page.locator("#announce", { hasText: text }).waitFor({ state: "attached" });
  }
}

/** Two in the lobby who see each other. */
export async function twoGuests(lab, first = {}, second = {}) {
  const [alice, bob] = await Promise.all([Guest.enter(lab, "Alice", first), Guest.enter(lab, "Bob", second)]);
  await Promise.all([alice.person("Bob").waitFor(), bob.person("Alice").waitFor()]);
  return { alice, bob };
}

/** The same, in a call. */
export async function inCall(lab, first, second) {
  const { alice, bob } = await twoGuests(lab, first, second);
  await alice.calls("Bob");
  await bob.accepts("Alice");
  await Promise.all([alice.talks(), bob.talks()]);
  return { alice, bob };
}

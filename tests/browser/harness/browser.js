// The browser: one for the whole run, with fresh contexts for every scenario.

import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

/** Where browsers of this kind usually are. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** What every browser of the tests is told. */
export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
];

/** Where the browser is. */
export function place() {
  const path = process.env.SKAPI_RTC_CHROMIUM || PLACES.find((place) => existsSync(place));
  if (!path) throw new Error("there is no Chromium; SKAPI_RTC_CHROMIUM may say where it is");
  return path;
}

/** Starts a browser of its own; with flags beside the usual ones. */
export function launch(flags = []) {
  return chromium.launch({ executablePath: place(), headless: true, args: [...FLAGS, ...flags] });
}

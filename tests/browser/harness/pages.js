// Serves the tests' own pages, and Skapi's client as it came from npm, on a free port.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const PAGES = join(HERE, "..", "pages");
/** The page for Skapi's own client. */
export const EXAMPLE = join(HERE, "..", "..", "..", "examples", "browser");
/** The page that runs on our own client. */
export const WEB = join(HERE, "..", "..", "..", "web");
/** The unmodified client, as a script tag loads it. */
export const CLIENT = join(
  dirname(createRequire(import.meta.url).resolve("skapi-js/package.json")),
  "dist",
  "skapi.js",
);
/** Our own client for pages, as `cargo xtask web` builds it. */
export const PACKAGE = process.env.SKAPI_RTC_PACKAGE;
/** What tests of ours do in a page, as `cargo xtask test web` builds it. */
export const TESTS = process.env.SKAPI_RTC_WEB_TESTS;
const TYPES = { html: "text/html", js: "text/javascript", mjs: "text/javascript", wasm: "application/wasm" };

/** A file of ours: `package/…` of our client, `tests/…` of our tests in Rust, `ours.html` the page with nothing
 * but the script tag changed. */
async function file(name) {
  const plain = (text) => text.replace(/[^\w.-]/g, "");
  if (name === "ours.html") {
    const page = await readFile(join(PAGES, "lab.html"), "utf8");
    return page.replace('"/skapi.js"', '"/package/skapi-rtc.js"');
  }
  if (name.startsWith("package/")) return readFile(join(PACKAGE, plain(name.slice("package/".length))));
  if (name.startsWith("tests/")) return readFile(join(TESTS, plain(name.slice("tests/".length))));
  return readFile(join(PAGES, plain(name)));
}

/** Starts the server and gives its address, and a way to end it. */
export async function servePages() {
  const client = await readFile(CLIENT);
  const server = createServer(async (request, response) => {
    const name = new URL(request.url, "http://localhost").pathname.slice(1) || "lab.html";
    try {
      const type = TYPES[name.split(".").pop()] ?? "text/plain";
      response.setHeader("Content-Type", type.startsWith("text/") ? `${type}; charset=utf-8` : type);
      response.end(name === "skapi.js" ? client : await file(name));
    } catch {
      response.statusCode = 404;
      response.end("there is no such page");
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Cameras and microphones need a secure place, and `localhost` is one.
  return {
    url: `http://localhost:${server.address().port}`,
    /** The page of a client: `skapi-js`, or `ours`. */
    of(client) {
      if (client !== "ours") return this.url;
      if (!PACKAGE) throw new Error("SKAPI_RTC_PACKAGE must say where our client is; `cargo xtask web` builds it");
      return `${this.url}/ours.html`;
    },
    close() {
      server.closeAllConnections?.();
      server.close();
    },
  };
}

// Serves the tests' own pages, and Skapi's client as it came from npm, on a free port.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const PAGES = join(HERE, "..", "pages");
/** The page that comes with the project. */
export const EXAMPLE = join(HERE, "..", "..", "..", "examples", "browser");
/** The unmodified client, as a script tag loads it. */
export const CLIENT = join(
  dirname(createRequire(import.meta.url).resolve("skapi-js/package.json")),
  "dist",
  "skapi.js",
);
const TYPES = { html: "text/html", js: "text/javascript" };

/** Starts the server and gives its address, and a way to end it. */
export async function servePages() {
  const client = await readFile(CLIENT);
  const server = createServer(async (request, response) => {
    const name = new URL(request.url, "http://localhost").pathname.slice(1) || "lab.html";
    try {
      const body = name === "skapi.js" ? client : await readFile(join(PAGES, name.replace(/[^\w.-]/g, "")));
      response.setHeader("Content-Type", `${TYPES[name.split(".").pop()] ?? "text/plain"}; charset=utf-8`);
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end("there is no such page");
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Cameras and microphones need a secure place, and `localhost` is one.
  return {
    url: `http://localhost:${server.address().port}`,
    close() {
      server.closeAllConnections?.();
      server.close();
    },
  };
}

// Calls between every two engines, in both directions.
//
// `cargo xtask matrix` runs it and writes what came of it into docs/engines.md; `cargo xtask test` runs it too.
// Arguments are names of cells, or parts of them (`webrtc → web`).

import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { launch } from "./harness/browser.js";
import { Lab } from "./harness/lab.js";
import { servePages } from "./harness/pages.js";
import { Native } from "./matrix/native.js";
import { Page } from "./matrix/page.js";
import { play } from "./matrix/play.js";

/** How long a cell may take at most. */
const CELL_MS = 120_000;
/** The clients of pages, by the names of the ends. */
const CLIENTS = { web: "ours", "skapi-js": "skapi-js" };

const here = dirname(fileURLToPath(import.meta.url));
const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    ends: { type: "string", default: "webrtc,str0m,web,skapi-js" },
    out: { type: "string" },
    artefacts: { type: "string", default: join(here, "..", "..", "target", "matrix") },
  },
});

/** What the program says of its engines, by their names. */
async function enginesOf(lab) {
  const program = lab.start("the engines", ["engines"]);
  await program.exit;
  return Object.fromEntries(program.said.map(({ event, name, ...can }) => [name, can]));
}

function endsOf(lab, engines) {
  const end = (name) => {
    if (name in CLIENTS) return new Page(lab, name, CLIENTS[name]);
    if (!engines[name]) throw new Error(`the program has no engine ${name}: it was built without the feature`);
    return new Native(lab, name, engines[name]);
  };
  return values.ends.split(",").map(end);
}

function within(time, work) {
  let patience;
  const tooLong = new Promise((_, reject) => {
    patience = setTimeout(() => reject(new Error(`it took more than ${time / 1000} s`)), time);
  });
  return Promise.race([work, tooLong]).finally(() => clearTimeout(patience));
}

async function cell(lab, caller, callee) {
  const name = `${caller.name} → ${callee.name}`;
  const begun = Date.now();
  const told = { caller: caller.name, callee: callee.name };
  try {
    const result = await within(CELL_MS, play(caller, callee));
    console.log(`test matrix: ${name} ... ok (${seconds(begun)}s, media ${result.media})`);
    return { ...told, ...result };
  } catch (error) {
    const folder = join(values.artefacts, name.replace(/[^\w]+/g, "-"));
    await lab.keep(folder, error);
    console.log(`test matrix: ${name} ... FAILED (${seconds(begun)}s)\n${error.stack ?? error}\n  see ${folder}`);
    // The next cell begins with new ones.
    for (const end of [caller, callee]) await end.leave().catch(() => {});
    const why = String(error.message ?? error).split("\n")[0];
    const [data, media] = error.part === "media" ? ["yes", `failed: ${why}`] : [`failed: ${why}`, "not tried"];
    return { ...told, data, media, failed: true };
  }
}

function seconds(since) {
  return ((Date.now() - since) / 1000).toFixed(2);
}

const begun = Date.now();
await rm(values.artefacts, { recursive: true, force: true });
const [browser, pages] = await Promise.all([launch(), servePages()]);
const lab = new Lab(browser, pages, "skapi-js");
const cells = [];
let filtered = 0;
let engines;
try {
  engines = await enginesOf(lab);
  await lab.service();
  const ends = endsOf(lab, engines);
  for (const caller of ends) {
    for (const callee of ends) {
      const name = `matrix: ${caller.name} → ${callee.name}`;
      if (filters.length && !filters.some((filter) => name.includes(filter))) filtered += 1;
      else cells.push(await cell(lab, caller, callee));
    }
  }
} finally {
  await lab.end();
  await browser.close();
  pages.close();
}
if (values.out) {
  const manifest = await readFile(join(here, "node_modules", "skapi-js", "package.json"), "utf8");
  const versions = { chromium: browser.version(), "skapi-js": JSON.parse(manifest).version };
  await writeFile(values.out, `${JSON.stringify({ versions, engines, cells }, null, 1)}\n`);
}
const failed = cells.filter((one) => one.failed).length;
// The words of Rust's own runner, so that one reader understands all of them.
console.log(
  `test result: ${failed ? "FAILED" : "ok"}. ${cells.length - failed} passed; ${failed} failed; 0 ignored; ` +
    `0 measured; ${filtered} filtered out; finished in ${seconds(begun)}s`,
);
process.exitCode = failed ? 1 : 0;

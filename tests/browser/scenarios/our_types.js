// The types of our client for pages: what is declared is what a page in strict TypeScript can use.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { scenario } from "../harness/runner.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const TYPES = join(HERE, "..", "types");
const DECLARED = join(HERE, "..", "..", "..", "crates", "skapi-rtc-js", "js", "skapi-rtc.d.ts");

function compiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  } catch {
    throw new Error("TypeScript is not installed; `npm ci --ignore-scripts --prefix tests/browser` installs it");
  }
}

scenario("types: a page in strict TypeScript compiles", async () => {
  const said = await new Promise((resolve) => {
    execFile(process.execPath, [compiler(), "-p", TYPES], (error, out, err) => resolve(error ? `${out}${err}` : ""));
  });
  assert.equal(said, "");
});

scenario("types: the page uses every type, every function and every field that is declared", async () => {
  const [declared, sample] = await Promise.all([DECLARED, join(TYPES, "sample.ts")].map((path) => readFile(path, "utf8")));
  const exported = /^export (?:type|interface|class|function) (\w+)/gm;
  const members = /^  (?:readonly )?(\w+)\??[(:]/gm;
  const events = /^ {4}\| "([\w:]+)"/gm;
  const names = [exported, members, events].flatMap((of) => [...declared.matchAll(of)].map(([, name]) => name));
  assert.ok(names.length > 60, `only ${names.length} names were found`);
  const unused = names.filter((name) => name !== "constructor" && !new RegExp(`\\b${name}\\b`).test(sample));
  assert.deepEqual(unused, []);
});

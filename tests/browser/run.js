// Runs the scenarios, or those whose names contain one of the arguments.
//
// `cargo xtask test browser` runs it with all that it needs. By hand:
//
//   SKAPI_RTC_PROGRAM=../../target/debug/skapi-rtc node run.js [--rounds N] [--client ours] [--list] [filters]
//
// `--ours` runs the scenarios of our own client instead, as `cargo xtask test web` does; `--screenshots DIR` has
// those of its page write the pictures of the documentation there.

import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { run } from "./harness/runner.js";

const here = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "1" },
    client: { type: "string", default: "skapi-js" },
    list: { type: "boolean", default: false },
    ours: { type: "boolean", default: false },
    screenshots: { type: "string" },
    artefacts: { type: "string", default: join(here, "..", "..", "target", "browser-tests") },
  },
});

for (const file of (await readdir(join(here, "scenarios"))).sort()) {
  if (file.startsWith("our_") === values.ours) await import(`./scenarios/${file}`);
}
const options = { filters: positionals, ...values, rounds: Number(values.rounds) };
process.exitCode = (await run(options)) ? 0 : 1;

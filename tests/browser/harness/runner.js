// Runs scenarios one after the other, says how each went, and keeps what there is to see of those that failed.

import { rm } from "node:fs/promises";
import { join } from "node:path";

import { launch } from "./browser.js";
import { Lab } from "./lab.js";
import { servePages } from "./pages.js";

/** How long a scenario may take at most. */
const SCENARIO_MS = 120_000;

const scenarios = [];

/** Adds a scenario: a name, and what happens in it. */
export function scenario(name, play) {
  scenarios.push({ name, play });
}

/** Adds one that cannot be played here, and why: it is named, and does not count. */
export function notApplicable(name, why) {
  scenarios.push({ name, why });
}

/** Runs those whose names contain a filter. Tells whether all of them held. */
export async function run({ filters, rounds, list, artefacts, client, screenshots }) {
  const meant = scenarios.filter(({ name }) => !filters.length || filters.some((filter) => name.includes(filter)));
  const chosen = meant.filter(({ play }) => play);
  for (const { name, why } of meant) {
    if (why) console.log(`test browser: ${name} ... not applicable: ${why}`);
    else if (list) console.log(name);
  }
  if (list) return true;
  const begun = Date.now();
  const failed = [];
  if (chosen.length) {
    await rm(artefacts, { recursive: true, force: true });
    const [browser, pages] = await Promise.all([launch(), servePages()]);
    for (let round = 1; round <= rounds; round += 1) {
      for (const { name, play } of chosen) {
        const title = rounds > 1 ? `${name} (round ${round})` : name;
        if (!(await holds(title, play, new Lab(browser, pages, client, screenshots), artefacts))) failed.push(title);
      }
    }
    await browser.close();
    pages.close();
  }
  const passed = chosen.length * rounds - failed.length;
  for (const name of failed) console.log(`failed: ${name}`);
  // The words of Rust's own runner, so that one reader understands both.
  console.log(
    `test result: ${failed.length ? "FAILED" : "ok"}. ${passed} passed; ${failed.length} failed; 0 ignored; ` +
      `0 measured; ${scenarios.length - meant.length} filtered out; finished in ${seconds(begun)}s`,
  );
  return failed.length === 0;
}

async function holds(name, play, lab, artefacts) {
  const begun = Date.now();
  let patience;
  try {
    const tooLong = new Promise((_, reject) => {
      const give_up = () => reject(new Error(`it took more than ${SCENARIO_MS / 1000} s`));
      patience = setTimeout(give_up, SCENARIO_MS);
    });
    await Promise.race([play(lab), tooLong]);
    console.log(`test browser: ${name} ... ok (${seconds(begun)}s)`);
    return true;
  } catch (error) {
    const folder = join(artefacts, name.replace(/[^\w]+/g, "-"));
    await lab.keep(folder, error);
    console.log(`test browser: ${name} ... FAILED (${seconds(begun)}s)\n${error.stack ?? error}\n  see ${folder}`);
    return false;
  } finally {
    clearTimeout(patience);
    await lab.end();
  }
}

function seconds(since) {
  return ((Date.now() - since) / 1000).toFixed(2);
}

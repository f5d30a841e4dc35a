// The suite that every engine must pass, with the browser's own engine. One scenario for every check.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { TESTS } from "../harness/pages.js";
import { notApplicable, scenario } from "../harness/runner.js";

/** What cannot be looked at in a browser, and why. */
const NOT_APPLICABLE = {
  "flow::a_reader_that_does_not_read_holds_the_sender": "back_pressure",
  "media::frames_arrive_intact_and_in_order": "media",
  "media::pictures_of_every_codec_survive": "media",
  "media::packets_pass_through": "media",
  "media::a_request_for_a_key_frame_arrives": "media",
  "media::what_was_not_negotiated_is_refused": "media",
  "media::what_nobody_reads_is_dropped_and_counted": "media",
  "media::tracks_can_be_added_in_a_running_connection": "media",
  "media::a_removed_track_sends_no_more": "media",
  "media::a_track_that_only_answers_asks_for_nothing": "media",
  "media::a_track_ends_with_its_connection": "media",
  "media::statistics_count_media": "media",
  "media::several_tracks_of_a_kind_are_told_apart": "media",
  "media::no_track_is_lost_when_offers_collide": "media",
  "media::a_track_whose_offer_was_taken_back_is_offered_again": "media",
  "media::another_track_can_follow_a_removed_one": "media",
  "media::media_go_on_through_an_ice_restart": "media",
  "leaks::no_task_is_left_after_close": "a process of its own",
  "leaks::no_task_is_left_after_a_drop": "a process of its own",
  "leaks::no_file_descriptor_is_left": "a process of its own",
};

/** The checks, as the module itself lists them: `[name, what it misses here]`. */
async function checks() {
  if (!TESTS) throw new Error("SKAPI_RTC_WEB_TESTS must say where the tests in Rust are; `cargo xtask test web` does");
  const tests = await import(pathToFileURL(join(TESTS, "skapi_rtc.js")).href);
  tests.initSync({ module: await readFile(join(TESTS, "skapi_rtc_bg.wasm")) });
  return tests.checks();
}

const all = await checks();

for (const [name, missing] of all) {
  const title = `conformance: ${name}`;
  if (missing) {
    notApplicable(title, `it needs ${missing}`);
  } else {
    scenario(title, async (lab) => (await lab.rustPage()).run((check) => rust("runCheck", check), name));
  }
}

scenario("conformance: nothing else is not applicable", () => {
  const missing = Object.fromEntries(all.filter(([, what]) => what));
  assert.deepEqual(missing, NOT_APPLICABLE);
});

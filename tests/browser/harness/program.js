// A process of the program `skapi-rtc`, which says what happens in one JSON object a line.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { PATIENCE_MS, until } from "./waiting.js";

/** Where the program is; `cargo xtask test browser` builds it and says so. */
const PROGRAM = process.env.SKAPI_RTC_PROGRAM;

export class Program {
  /** Starts `skapi-rtc --json` with these arguments. */
  constructor(name, args, environment = {}) {
    if (!PROGRAM) {
      throw new Error("SKAPI_RTC_PROGRAM must say where the program is; `cargo xtask test browser` does");
    }
    this.name = name;
    this.said = [];
    this.ended = null;
    const env = { ...process.env, ...environment };
    delete env.RUST_LOG;
    if (process.env.SKAPI_RTC_LOG) env.RUST_LOG = process.env.SKAPI_RTC_LOG;
    this.child = spawn(PROGRAM, ["--json", ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.said.push(parsed(line)));
    }
    this.exit = new Promise((resolve) => {
      this.child.on("error", (error) => this.said.push({ event: "spawn_failed", message: String(error) }));
      this.child.on("close", (code, signal) => resolve((this.ended = { code, signal })));
    });
  }

  /** The first thing said, from `since` on, for which `matches` holds; waits for it. */
  async expect(event, matches = () => true, since = 0) {
    const found = () => this.said.slice(since).find((said) => said.event === event && matches(said));
    await until(
      () => found() || this.ended,
      () => `${this.name} to say \`${event}\`; it said ${JSON.stringify(this.said.slice(-12))}`,
    );
    const said = found();
    if (!said) throw new Error(`${this.name} ended without saying \`${event}\`: ${JSON.stringify(this.said)}`);
    return said;
  }

  /** Types a line to it. */
  type(line) {
    this.child.stdin.write(`${line}\n`);
  }

  /** Asks it to end, and waits until it has. */
  async stop(signal = "SIGTERM") {
    if (this.ended) return;
    this.child.kill(signal);
    const patience = setTimeout(() => this.child.kill("SIGKILL"), PATIENCE_MS / 2);
    await this.exit;
    clearTimeout(patience);
  }

  /** What it said, as text for the artefacts. */
  transcript() {
    return this.said.map((said) => JSON.stringify(said)).join("\n");
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return { event: "text", text: line };
  }
}

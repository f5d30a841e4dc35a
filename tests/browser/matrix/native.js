// An end of the matrix that is the program, with one of its engines.

import assert from "node:assert/strict";

export class Native {
  /** `can` is what the program says of the engine. */
  constructor(lab, name, can) {
    this.lab = lab;
    this.name = name;
    this.hasMedia = can.media;
    this.calls = 0;
  }

  /** Waits for a call, and gives the cid to dial. */
  async wait() {
    if (!this.listener || this.listener.program.ended) {
      this.listener = await this.lab.listener(["--engine", this.name], `${this.name}-listens`);
    }
    this.since = this.listener.program.said.length;
    return this.listener.cid;
  }

  /** Sees that the other side has hung up. */
  async isLeft() {
    const { reason } = await this.listener.program.expect("ended", () => true, this.since);
    assert.equal(reason, "hung up by the peer");
  }

  /** An echo has nothing to look at: what it gets, the caller sees. */
  async perceives() {}

  async hangUp({ media }) {
    const { program } = this.listener;
    await program.stop();
    const said = program.said.slice(this.since);
    assert.ok(said.some(({ event }) => event === "ended"), program.transcript());
    for (const kind of media ? ["audio", "video"] : []) {
      const got = said.find((one) => one.event === "media_received" && one.kind === kind);
      assert.ok(got?.packets > 0, `no ${kind} arrived at ${this.name}: ${JSON.stringify(got)}`);
    }
  }

  /** A call in which this side sends a volley, and hangs up. */
  async volley(cid, count) {
    const program = this.#call(cid, ["--volley", String(count)]);
    const { code } = await program.exit;
    assert.equal(code, 0, program.transcript());
    assert.equal((await program.expect("volley")).count, count);
    assert.equal((await program.expect("ended")).by, "local");
  }

  /** Calls, with sound and picture or without. */
  async dial(cid, { media }) {
    this.program = this.#call(cid, media ? ["--media", "test"] : []);
    if (!media) return void (await this.program.expect("chat"));
    for (const kind of ["audio", "video"]) await this.program.expect("flows", (said) => said.kind === kind);
  }

  /** Sees that the one who was called has hung up. */
  async isHungUpOn() {
    const { by, reason } = await this.program.expect("ended");
    assert.deepEqual([by, reason], ["remote", "hung up"]);
    const { code } = await this.program.exit;
    assert.equal(code, 0, this.program.transcript());
  }

  async leave() {
    await this.listener?.program.stop();
    await this.program?.stop();
    this.listener = null;
  }

  #call(cid, args) {
    this.calls += 1;
    return this.lab.caller(cid, ["--engine", this.name, ...args], `${this.name}-calls-${this.calls}`);
  }
}

// What a scenario has at hand: services, people in tabs, and peers of ours. All of it ends with the scenario.

import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Program } from "./program.js";
import { SECRET, session } from "./tokens.js";
import { User } from "./user.js";

/** The project as pages name it: one id for the service, one for its owner. */
export const SERVICE = "ap21test";
export const OWNER = "11111111-2222-4333-8444-555555555555";
/** The group in which peers of ours wait. */
export const GROUP = "RTCCall";

export class Lab {
  constructor(browser, pages, client, screenshots) {
    this.browser = browser;
    /** Where pictures of the documentation go, if they are wanted. */
    this.screenshots = screenshots;
    /** Whose client tabs load, unless they say otherwise: `skapi-js` or `ours`. */
    this.client = client;
    this.pages = pages;
    this.users = [];
    this.programs = [];
    this.cleanups = [];
  }

  /** Starts the service on a free port, or on the one given. */
  async service(args = [], port = 0) {
    const secret = join(await this.folder(), "secret");
    await writeFile(secret, SECRET);
    const all = ["serve", "--listen", `127.0.0.1:${port}`, "--dev", "--jwt-secret-file", secret, ...args];
    const program = this.start("the service", all);
    const { http } = await program.expect("listening");
    // Pages are on `localhost`, so that they may use cameras; the service is called by the same name.
    this.url = http.replace("127.0.0.1", "localhost");
    const taken = Number(new URL(http).port);
    return { program, port: taken, restart: () => this.#restart(program, args, taken) };
  }

  async #restart(program, args, port) {
    await program.stop();
    return this.service(args, port);
  }

  /** Starts the program with these arguments. */
  start(name, args) {
    const program = new Program(name, args, { SKAPI_RTC_JWT_SECRET: "" });
    this.programs.push(program);
    return program;
  }

  /** A peer of ours that accepts every call, in the group of the tests. */
  listener(args = [], user = "echo") {
    return this.listenerIn(GROUP, user, args);
  }

  /** The same in any group. */
  async listenerIn(group, user, args = []) {
    const all = ["listen", "--server", this.url, "--dev-user", user, "--group", group, ...args];
    const program = this.start(user, all);
    await program.expect("waiting");
    const { list } = await this.ask("get-ws-group", { group, user_id: user });
    return { program, cid: `cid:${list[0].cid}`, bare: list[0].cid };
  }

  /** A peer of ours that calls a user or a cid. */
  caller(whom, args = [], user = "rust") {
    const all = ["call", whom, "--server", this.url, "--dev-user", user, "--group", GROUP, ...args];
    return this.start(user, all);
  }

  /** Asks the service a question over HTTP, as anybody. */
  async ask(path, body) {
    const response = await fetch(`${this.url}/api/${path}`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Authorization: session({ user: randomUUID(), service: SERVICE }).idToken,
      },
      body: JSON.stringify({ service: SERVICE, owner: OWNER, ...body }),
    });
    return response.json();
  }

  /** Opens a tab in which the client is loaded, and has not looked for its service yet. */
  async tab(name, options = {}) {
    const url = options.url ?? this.pages.of(options.client ?? this.client);
    const user = await User.open(options.browser ?? this.browser, url, { name, ...options });
    this.users.push(user);
    return user;
  }

  /** Opens a tab in which tests in Rust run. */
  rustPage(name = "rust") {
    return this.tab(name, { url: `${this.pages.url}/rust.html` });
  }

  /** The library itself in a tab, compiled from Rust: connected, and in the group. */
  async rustClient(name) {
    const user = await this.rustPage(name);
    const token = session({ user: randomUUID(), name, service: SERVICE }).idToken;
    const connect = async (all) => {
      window.client = await rust("connectClient", ...all);
    };
    await user.run(connect, [this.url, token, [SERVICE, OWNER], GROUP]);
    user.cid = await user.until(() => client.cid, undefined, "its cid");
    return user;
  }

  /** Somebody who is signed in. */
  async user(name, { id = randomUUID(), ...options } = {}) {
    const user = await this.tab(name, options);
    await this.boot(user);
    await user.signIn(session({ user: id, name, service: SERVICE }));
    return user;
  }

  /** Lets the client of a tab find the service, by the way that needs nothing of the service. */
  async boot(user) {
    await user.run(
      ({ url, service, owner }) => {
        const ends = { userpool_id: "self_hosted", userpool_client: "skapi-rtc" };
        for (const key of ["admin_public", "admin_private", "service_public", "get_users_private"]) {
          ends[key] = `${url}/api/`;
        }
        const record = { websocket_private: `${url.replace("http", "ws")}/ws` };
        for (const key of ["record_public", "record_private"]) record[key] = `${url}/api/`;
        const connection = { group: 3, service_name: "skapi-rtc" };
        const found = { connection, admin_endpoint: ends, record_endpoint: record };
        sessionStorage.setItem(`${service}#${owner}`, JSON.stringify(found));
        lab.boot(service, owner);
      },
      { url: this.url, service: SERVICE, owner: OWNER },
    );
  }

  /** Somebody who is connected, and in the group. */
  async member(name, { group = GROUP, ...options } = {}) {
    const user = await this.user(name, options);
    await user.connect();
    await user.join(group);
    return user;
  }

  /** Two people in the same group. */
  async pair(group = GROUP) {
    const [alice, bob] = await Promise.all([this.member("alice", { group }), this.member("bob", { group })]);
    return { alice, bob };
  }

  /** A folder that goes away with the scenario. */
  async folder() {
    const path = await mkdtemp(join(tmpdir(), "skapi-rtc-browser-"));
    this.after(() => rm(path, { recursive: true, force: true }));
    return path;
  }

  /** Takes a picture for the documentation, if those are wanted. */
  async picture(page, name) {
    if (this.screenshots) await page.screenshot({ path: join(this.screenshots, `${name}.png`), animations: "disabled" });
  }

  /** Has something done when the scenario has ended. */
  after(cleanup) {
    this.cleanups.push(cleanup);
  }

  /** Writes down what there is to see of a scenario that failed. */
  async keep(folder, error) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "error.txt"), `${error.stack ?? error}\n`);
    for (const [number, user] of this.users.entries()) {
      const path = join(folder, `${number}-${user.name}`);
      await writeFile(`${path}-console.txt`, user.console.join("\n"));
      await writeFile(`${path}-frames.txt`, user.frames.join("\n"));
      if (user.gone) continue;
      await user.page.screenshot({ path: `${path}.png`, timeout: 5000 }).catch(() => {});
      const events = await user
        .run(() => [lab.realtime, lab.rtc, lab.errors].map((list) => JSON.stringify(list, null, 1)).join("\n"))
        .catch(() => "");
      await writeFile(`${path}-events.txt`, events);
    }
    for (const [number, program] of this.programs.entries()) {
      const path = join(folder, `program-${number}-${program.name.replaceAll(" ", "-")}.txt`);
      await writeFile(path, program.transcript());
    }
  }

  /** Ends everything. */
  async end() {
    await Promise.all(this.users.filter((user) => !user.gone).map((user) => user.context.close().catch(() => {})));
    await Promise.all(this.programs.map((program) => program.stop()));
    for (const cleanup of this.cleanups.reverse()) await cleanup();
  }
}

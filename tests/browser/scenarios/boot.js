// The ways in which the unmodified client finds the service, and how one signs in.

import assert from "node:assert/strict";

import { launch } from "../harness/browser.js";
import { OWNER, SERVICE } from "../harness/lab.js";
import { scenario } from "../harness/runner.js";
import { session } from "../harness/tokens.js";

/** The client has found the service when it can sign in, connect, and meet somebody. */
async function works(lab, tab) {
  await tab.signIn(session({ user: crypto.randomUUID(), name: tab.name, service: SERVICE }));
  await tab.connect();
  await tab.join("found");
  const info = await tab.run(() => skapi.getConnectionInfo());
  assert.equal(info.service_name, "skapi-rtc");
  await tab.run(() => skapi.postRealtime("found it", "found"));
  await tab.event("message", { message: "found it" });
}

const boot = (tab) => tab.run(([service, owner]) => lab.boot(service, owner), [SERVICE, OWNER]);

scenario("the client finds the service by one script tag", async (lab) => {
  await lab.service();
  const tab = await lab.tab("tagged");
  await tab.page.addScriptTag({ url: `${lab.url}/self-host.js?service=${SERVICE}&owner=${OWNER}` });
  await boot(tab);
  await works(lab, tab);
  assert.deepEqual(await tab.run(() => lab.errors), []);
});

scenario("the client finds the service by sessionStorage", async (lab) => {
  await lab.service();
  const tab = await lab.tab("stored");
  await lab.boot(tab);
  await works(lab, tab);
});

scenario("the client finds the service by a page that leads its requests", async (lab) => {
  await lab.service();
  const tab = await lab.tab("led");
  await tab.run((url) => {
    const before = window.fetch;
    window.fetch = (asked, ...rest) => {
      const there = String(asked).replace("https://d3e9syvbtso631.cloudfront.net", url);
      return before(there, ...rest);
    };
  }, lab.url);
  await boot(tab);
  await works(lab, tab);
});

scenario("the client finds the service by target_cdn, over TLS", async (lab) => {
  const { port } = await lab.service(["--tls-self-signed"]);
  const tab = await lab.tab("aimed");
  const target_cdn = `localhost:${port}/x/`;
  await tab.run(([service, owner, etc]) => lab.boot(service, owner, {}, etc), [SERVICE, OWNER, { target_cdn }]);
  await works(lab, tab);
});

scenario("the client finds the service by name, over TLS", async (lab) => {
  const { port } = await lab.service(["--tls-self-signed"]);
  // As a DNS server of one's own would answer.
  const browser = await launch([`--host-resolver-rules=MAP d3e9syvbtso631.cloudfront.net:443 127.0.0.1:${port}`]);
  lab.after(() => browser.close());
  const tab = await lab.tab("resolved", { browser });
  await boot(tab);
  await works(lab, tab);
});

scenario("a page signs in by the session that the dev mode gives", async (lab) => {
  await lab.service();
  const users = [];
  for (const name of ["Zoë <b>", "Bob"]) {
    const tab = await lab.tab(name);
    await tab.page.addScriptTag({ url: `${lab.url}/self-host.js?service=${SERVICE}&owner=${OWNER}` });
    await boot(tab);
    const profile = await tab.run(
      async ([url, body]) => {
        const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
        return skapi.loginWithToken(await (await fetch(`${url}/dev/session`, options)).json());
      },
      [lab.url, { name, service: SERVICE, owner: OWNER }],
    );
    tab.id = profile.user_id;
    assert.equal(profile.name, name);
    assert.deepEqual(await tab.run(() => skapi.getProfile()), profile);
    await tab.connect();
    await tab.join("found");
    users.push(tab);
  }
  const [zoe, bob] = users;
  const found = await bob.run((value) => skapi.getUsers({ searchFor: "user_id", value }), zoe.id);
  assert.equal(found.list[0].user_id, zoe.id);
  assert.equal(found.list[0].name, "Zoë <b>");
});

scenario("a session survives a reload of the page", async (lab) => {
  await lab.service();
  const tab = await lab.user("alice");
  const { page } = tab;
  await page.reload();
  await lab.boot(tab);
  const profile = await tab.run(() => skapi.getProfile());
  assert.equal(profile.user_id, tab.id);
  await tab.connect();
  await tab.join("found");
});

scenario("a token of somebody else's is refused", async (lab) => {
  await lab.service();
  const tab = await lab.tab("forger");
  await lab.boot(tab);
  const tokens = session({ user: crypto.randomUUID(), name: "forger", service: SERVICE });
  const [head, body] = tokens.accessToken.split(".");
  const forged = `${head}.${body}.${"A".repeat(43)}`;
  await tab.signIn({ idToken: forged, accessToken: forged, refreshToken: "none" });
  await tab.run(() => void skapi.connectRealtime(lab.onRealtime));
  await tab.event("error");
  const answer = await tab.run(() => skapi.getRealtimeGroups().catch((error) => error.code));
  assert.equal(answer, "TOKEN_SIGNATURE");
});

// What is posted arrives as it was, whatever it is made of.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

const deep = (levels) => (levels ? { level: levels, in: [deep(levels - 1)] } : "bottom");

const CONTENTS = {
  percent: "100% of %41 %E0%A4%A %zz %",
  angle: "<script>alert(1)</script> & </b>",
  separators: "line\u2028paragraph\u2029end",
  emoji: "👩‍👩‍👧‍👦 🏳️‍🌈 한국어 ñ \u0000 \u001f \u007f",
  escapes: 'quote " backslash \\ slash / newline \n tab \t %22 \\u0025',
  "half of a pair": "\ud83d and \udc69",
  numbers: [0, -0.5, 1e21, 1.7976931348623157e308, 5e-324, 9007199254740993, null, true, false],
  "keys of the wire": { "#message": 1, "#error": "no", action: "rtc", "#rtc": { hungup: "x" }, __proto__: null },
  "odd keys": { "": 1, "%": 2, " ": 3, "ключ": 4, "a.b": 5 },
  deep: deep(50),
  list: [[], {}, [[[]]], ""],
};

scenario("a message to the group reaches everybody, the sender included, unchanged", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  for (const [what, content] of Object.entries(CONTENTS)) {
    const answer = await alice.run((x) => skapi.postRealtime(x, "RTCCall"), { [what]: content });
    assert.deepEqual(answer, { type: "success", message: "Message sent." });
  }
  const wanted = Object.entries(CONTENTS).map(([what, content]) => JSON.stringify({ [what]: content }));
  for (const user of [alice, bob]) {
    await user.until((count) => lab.events("message").length === count, wanted.length, "all messages");
    const events = await user.run(() => lab.events("message"));
    assert.deepEqual(
      await user.run(() => lab.realtime.filter((e) => e.type === "message").map((e) => JSON.stringify(e.message))),
      wanted,
    );
    for (const event of events) {
      assert.deepEqual(
        [event.sender, event.sender_cid, event.sender_rid, event.code],
        [alice.id, alice.cid, "RTCCall", null],
      );
    }
  }
});

scenario("a message of nearly 128 KiB arrives, and one beyond is refused in plain words", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  // What is around the content in the client's frame takes its share, the token above all.
  const around = 2048;
  for (const unit of ["a", "%", "é", "👍", "\u2028", '"']) {
    const bytes = Buffer.byteLength(JSON.stringify(unit)) - 2;
    const text = unit.repeat(Math.floor((131_072 - around) / bytes));
    const hash = (x) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(x)).then((d) => [...new Uint8Array(d)]);
    await alice.run((x) => skapi.postRealtime(x, "RTCCall"), text);
    const got = await bob.until(
      async (length) => {
        const found = lab.realtime.find((event) => event.type === "message" && event.message.length === length);
        if (!found) return null;
        const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(found.message));
        return [...new Uint8Array(digest)];
      },
      text.length,
      `${text.length} times ${unit}`,
    );
    assert.deepEqual(got, await hash(text));
    await bob.run(() => lab.realtime.splice(0));
  }
  await alice.run(() => skapi.postRealtime("a".repeat(131_072), "RTCCall"));
  const error = await alice.event("error", { code: "TOO_LARGE" });
  assert.match(error.message, /131072/);
  // The connection is as good as before.
  await alice.run(() => skapi.postRealtime("still here", "RTCCall"));
  await bob.event("message", { message: "still here" });
});

scenario("a private message reaches every tab of its receiver, and nobody else", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  const second = await lab.user("bob again", { id: bob.id });
  await second.connect();
  for (const content of Object.values(CONTENTS)) {
    await alice.run(([x, id]) => skapi.postRealtime({ x }, id), [content, bob.id]);
  }
  const wanted = Object.values(CONTENTS).map((x) => JSON.stringify({ x }));
  for (const tab of [bob, second]) {
    await tab.until((count) => lab.events("private").length === count, wanted.length, "all messages");
    const got = await tab.run(() => lab.realtime.filter((e) => e.type === "private"));
    assert.deepEqual(got.map((event) => JSON.stringify(event.message)), wanted);
    for (const event of got) {
      assert.deepEqual([event.sender, event.sender_cid, event.sender_rid], [alice.id, alice.cid, null]);
    }
  }
  assert.deepEqual(await alice.run(() => lab.events("private")), []);
});

scenario("a form can be posted, and a notification goes along without harm", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair();
  await alice.run(() => {
    const form = document.createElement("form");
    form.innerHTML = '<input name="msg" value="50% <b>"><input type="submit">';
    form.onsubmit = (event) => {
      event.preventDefault();
      skapi.postRealtime(event, "RTCCall");
    };
    document.body.append(form);
    form.requestSubmit();
  });
  await bob.event("message", { message: { msg: "50% <b>" } });
  const notification = { title: "Hello", body: "100% new", config: { always: true } };
  await alice.run(([n, id]) => skapi.postRealtime("with one", id, n), [notification, bob.id]);
  await bob.event("private", { message: "with one" });
  await alice.run((n) => skapi.postRealtime("to all", "RTCCall", n), notification);
  await bob.event("message", { message: "to all" });
});

// Who is there, and which groups there are: every question that the client can ask.

import assert from "node:assert/strict";

import { scenario } from "../harness/runner.js";

const names = (page) => page.list.map(({ group }) => group);

/** Groups with a known number of people each. */
async function crowd(lab, groups) {
  const asker = await lab.user("asker");
  await asker.connect();
  for (const [group, count] of Object.entries(groups)) {
    for (let n = 0; n < count; n += 1) await lab.listenerIn(group, `peer-${Object.keys(groups).indexOf(group)}-${n}`);
  }
  return asker;
}

const GROUPS = { Alpha: 1, Beta: 2, Hello: 1, HelloWorld: 3, "Ünï % <g>": 1 };

scenario("groups are found by name, with each condition in both spellings", async (lab) => {
  await lab.service();
  const asker = await crowd(lab, GROUPS);
  const ask = (params, options) =>
    asker.run(([p, o]) => skapi.getRealtimeGroups(p, o), [params, options]);

  const all = await ask(undefined);
  const everything = ["Alpha", "Beta", "Hello", "HelloWorld", "Ünï % <g>"];
  assert.deepEqual(all.list, everything.map((group) => ({ group, number_of_users: GROUPS[group] })));
  assert.deepEqual([all.endOfList, all.startKey], [true, "end"]);
  assert.deepEqual(names(await ask(null)), everything);
  assert.deepEqual(names(await ask({ searchFor: "group" })), everything);
  assert.deepEqual(names(await ask({ searchFor: "group", value: "Hello" })), ["Hello"]);

  const wanted = {
    ">": ["HelloWorld", "Ünï % <g>"],
    ">=": ["Hello", "HelloWorld"], // on names: starts with
    "=": ["Hello"],
    "!=": ["Alpha", "Beta", "HelloWorld", "Ünï % <g>"],
    "<": ["Alpha", "Beta"],
    "<=": ["Alpha", "Beta", "Hello"],
  };
  const words = { ">": "gt", ">=": "gte", "=": "eq", "!=": "ne", "<": "lt", "<=": "lte" };
  for (const [condition, groups] of Object.entries(wanted)) {
    for (const spelling of [condition, words[condition]]) {
      const page = await ask({ searchFor: "group", value: "Hello", condition: spelling });
      assert.deepEqual(names(page), groups, `with ${spelling}`);
    }
  }
  assert.deepEqual(names(await ask({ searchFor: "group", value: "B", range: "HelloA" })), ["Beta", "Hello"]);
  assert.deepEqual(names(await ask({ searchFor: "group", value: "Ünï % <g>", condition: "=" })), ["Ünï % <g>"]);
  assert.deepEqual(names(await ask({ searchFor: "group", value: "nowhere" })), []);
  assert.deepEqual(names(await ask(null, { ascending: false })), [...everything].reverse());
});

scenario("groups are found by how many are in them", async (lab) => {
  await lab.service();
  const asker = await crowd(lab, GROUPS);
  const ask = (params, options) =>
    asker.run(([p, o]) => skapi.getRealtimeGroups({ searchFor: "number_of_users", ...p }, o), [params, options]);
  const counts = async (params, options) => (await ask(params, options)).list.map((g) => g.number_of_users);

  assert.deepEqual(await counts({}), [1, 1, 1, 2, 3]);
  const wanted = {
    ">": [3],
    gt: [3],
    ">=": [2, 3],
    gte: [2, 3],
    "=": [2],
    eq: [2],
    "!=": [1, 1, 1, 3],
    ne: [1, 1, 1, 3],
    "<": [1, 1, 1],
    lt: [1, 1, 1],
    "<=": [1, 1, 1, 2],
    lte: [1, 1, 1, 2],
  };
  for (const [condition, numbers] of Object.entries(wanted)) {
    assert.deepEqual(await counts({ value: 2, condition }), numbers, `with ${condition}`);
  }
  assert.deepEqual(await counts({ value: 2 }), [2]);
  assert.deepEqual(await counts({ value: 2, range: 10 }), [2, 3]);
  assert.deepEqual(await counts({ value: 0, condition: ">" }, { ascending: false }), [3, 2, 1, 1, 1]);
});

scenario("groups are paged to the end, in both directions", async (lab) => {
  await lab.service();
  const groups = Object.fromEntries(Array.from({ length: 7 }, (_, n) => [`g${n}`, 1]));
  const asker = await crowd(lab, groups);
  for (const ascending of [true, false]) {
    const pages = await asker.run(async (order) => {
      const found = [];
      const options = { limit: 3, ascending: order };
      for (let page = await skapi.getRealtimeGroups(null, options); ; ) {
        found.push([page.list.map((g) => g.group), page.endOfList]);
        if (page.endOfList) return found;
        page = await skapi.getRealtimeGroups(null, { ...options, fetchMore: true });
      }
    }, ascending);
    const sorted = Object.keys(groups);
    if (!ascending) sorted.reverse();
    assert.deepEqual(pages.flatMap(([list]) => list), sorted);
    assert.deepEqual(pages.map(([, end]) => end), [false, false, true]);
    // Beyond the end there is nothing.
    const beyond = await asker.run(
      (order) => skapi.getRealtimeGroups(null, { limit: 3, ascending: order, fetchMore: true }),
      ascending,
    );
    assert.deepEqual([beyond.list, beyond.endOfList], [[], true]);
  }
});

scenario("users of a group, one user's connections, and the group one is in", async (lab) => {
  await lab.service();
  const { alice, bob } = await lab.pair("room");
  const second = await lab.member("bob again", { id: bob.id, group: "room" });
  const secondCid = await second.until(
    async ([id, first]) => {
      const { list } = await skapi.getRealtimeUsers({ group: "room", user_id: id });
      return list.map(({ cid }) => cid).find((cid) => cid !== first);
    },
    [bob.id, bob.cid],
  );
  const ask = (params, options) => alice.run(([p, o]) => skapi.getRealtimeUsers(p, o), [params, options]);
  const key = ({ user_id, cid }) => `${user_id} ${cid}`;
  const everybody = [
    { user_id: alice.id, cid: alice.cid },
    { user_id: bob.id, cid: bob.cid },
    { user_id: bob.id, cid: secondCid },
  ];
  const all = await ask({ group: "room" });
  assert.deepEqual(all.list.map(key).sort(), everybody.map(key).sort());
  assert.equal(all.endOfList, true);
  // Without a group the client asks for the one it is in.
  assert.deepEqual((await ask({})).list.map(key).sort(), everybody.map(key).sort());
  const bobs = await ask({ group: "room", user_id: bob.id });
  assert.deepEqual(bobs.list.map(key).sort(), everybody.slice(1).map(key).sort());
  assert.deepEqual((await ask({ group: "room", user_id: crypto.randomUUID() })).list, []);
  assert.deepEqual((await ask({ group: "nowhere" })).list, []);
  const down = await ask({ group: "room" }, { ascending: false });
  assert.deepEqual(down.list.map(key), all.list.map(key).reverse());
  const pages = await alice.run(async () => {
    const found = [];
    for (let more = false; ; more = true) {
      const page = await skapi.getRealtimeUsers({ group: "room" }, { limit: 1, fetchMore: more });
      found.push(...page.list);
      if (page.endOfList) return found;
    }
  });
  assert.deepEqual(pages.map(key), all.list.map(key));
});

// Who is in the group, by name, with a button to call each.

import { byId, element, shorten } from "./view.js";

/** What Skapi's client takes for a user id; it asks for no others. */
const USER_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class People {
  /** From connection id to list item. */
  #items = new Map();
  /** From user id to the promise of a name. */
  #names = new Map();
  #skapi;
  #call;

  constructor(skapi, call) {
    this.#skapi = skapi;
    this.#call = call;
  }

  /** Everybody's name; who has none is called by the beginning of the id. */
  name(user) {
    if (!this.#names.has(user)) this.#names.set(user, this.#ask(user));
    return this.#names.get(user);
  }

  async #ask(user) {
    if (user === this.#skapi.user.user_id) return "you";
    if (!USER_ID.test(user)) return user;
    try {
      const { list } = await this.#skapi.getUsers({ searchFor: "user_id", value: user });
      return list[0]?.name || shorten(user);
    } catch {
      return shorten(user);
    }
  }

  /** The name of whoever is behind a connection. */
  async nameOf(cid) {
    const user = this.#items.get(cid)?.dataset.user;
    return user ? this.name(user) : shorten(cid);
  }

  /** Begins anew with those whom the service names. */
  async refresh(group) {
    const found = [];
    for (let more = false; ; more = true) {
      const page = await this.#skapi.getRealtimeUsers({ group }, { fetchMore: more });
      found.push(...page.list);
      if (page.endOfList) break;
    }
    for (const cid of [...this.#items.keys()]) {
      if (!found.some((entry) => entry.cid === cid)) this.left(cid);
    }
    for (const { user_id, cid } of found) await this.joined(user_id, cid);
  }

  async joined(user, cid) {
    // Calls between two tabs of one user are not possible: the client ignores them.
    if (user === this.#skapi.user.user_id || this.#items.has(cid)) return;
    const item = element("li");
    this.#items.set(cid, item);
    item.dataset.user = user;
    const name = await this.name(user);
    if (this.#items.get(cid) !== item) return; // gone meanwhile
    const button = element("button", "Call");
    button.setAttribute("aria-label", `Call ${name}`);
    button.addEventListener("click", () => this.#call(cid));
    const label = element("span", name);
    label.append(element("small", cid));
    item.append(label, button);
    byId("list").append(item);
    this.#count();
  }

  left(cid) {
    this.#items.get(cid)?.remove();
    this.#items.delete(cid);
    this.#count();
  }

  #count() {
    byId("nobody").hidden = this.#items.size > 0;
  }
}

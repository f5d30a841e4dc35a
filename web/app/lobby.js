// The lobby as it is seen: people, their devices, and a button to call each.

import { byId, element, face, icon, notice } from "./view.js";

export class Lobby {
  #presence;
  #call;

  /** `call(person, cids)` calls one or all devices of somebody. */
  constructor(presence, call) {
    this.#presence = presence;
    this.#call = call;
    presence.addEventListener("change", () => this.#draw());
    byId("copy").addEventListener("click", () => copyAddress());
  }

  #draw() {
    const people = this.#presence.people();
    const focused = document.activeElement?.dataset.key;
    byId("people").replaceChildren(...people.map((person) => this.#person(person)));
    if (focused) byId("people").querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    const others = people.filter((person) => !person.isMe).length;
    byId("count").textContent = others ? String(others) : "";
    byId("nobody").hidden = others > 0 || people.some((person) => person.devices.length > 1);
  }

  #person({ id, name, isMe, devices }) {
    const called = devices.filter((device) => !device.isThis);
    const busy = devices.some((device) => device.busy);
    const about = isMe ? "You" : busy ? "In a call" : devices.length > 1 ? `${devices.length} devices` : "Available";
    const head = element(
      "div",
      { class: "person" },
      face(element("span", { class: "avatar" }), name),
      element("div", { class: "who" }, element("strong", {}, name), element("span", { class: busy && !isMe ? "busy" : "quiet" }, about)),
      isMe || !called.length ? null : this.#button(`Call ${name}`, `user ${id}`, { id, name }, called),
    );
    const item = element("li", {}, head);
    if (devices.length > 1 || isMe || devices[0].kind) {
      item.append(element("ul", { class: "devices" }, ...devices.map((device) => this.#device(id, name, device, devices.length))));
    }
    return item;
  }

  #device(id, name, device, count) {
    const kind = device.kind || "A device";
    const words = device.isThis ? `${kind} (this one)` : device.busy ? `${kind}, in a call` : kind;
    const label = `Call ${name}: ${kind}`;
    const own = count > 1 && !device.isThis;
    return element("li", {}, icon("device"), element("span", {}, words), own ? this.#button(label, device.cid, { id, name }, [device]) : null);
  }

  /** Calls a device, or all of somebody's, of which the first that accepts has the call. */
  #button(label, key, person, devices) {
    const isPerson = key.startsWith("user ");
    const button = element("button", { type: "button", class: isPerson ? "primary" : "small" }, icon("phone"), "Call");
    button.setAttribute("aria-label", label);
    button.dataset.key = key;
    button.onclick = () => this.#call(person, devices.map((device) => device.cid));
    return button;
  }
}

async function copyAddress() {
  try {
    await navigator.clipboard.writeText(location.href);
    notice("copied", "The address is in the clipboard.");
  } catch {
    notice("copied", `The address is ${location.href}`);
  }
}

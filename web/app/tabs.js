// Other tabs of the same browser: who is in the lobby there already.

const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("skapi-rtc-page") : null;
let own = null;
let heard = () => {};

channel?.addEventListener("message", ({ data }) => {
  if (data?.ask && own) channel.postMessage({ name: own });
  if (typeof data?.name === "string") heard(data.name);
});

/** Asks the other tabs; `onname` is told who is there. */
export function askOthers(onname) {
  heard = onname;
  channel?.postMessage({ ask: true });
}

/** Tells other tabs, when they ask, who is here. */
export function tellOthers(name) {
  own = name;
}

// Skapi's client, and a session for it.

/** The project. A service of one's own takes any; the address of `self-host.js` in the page names the same. */
export const SERVICE = "ap21example";
export const OWNER = "11111111-2222-4333-8444-555555555555";

const PUBLIC = {
  src: "https://cdn.jsdelivr.net/npm/skapi-js@1.5.8/dist/skapi.js",
  integrity: "sha384-g+1M9GlB/7KV4+iN5Vtj3SnRien+kiGnv0NjVzTMpQQBh0RqMkWDps6zVI0hwtNy",
  crossOrigin: "anonymous",
};

/** Loads the client: the copy beside this page if there is one, otherwise the public one. */
export async function loadClient() {
  if (window.Skapi) return;
  await load({ src: "skapi.js" })
    .catch(() => load(PUBLIC))
    .catch(() => {
      throw new Error("Skapi's client could not be loaded: put skapi.js beside this page, as its README says.");
    });
}

function load(attributes) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), attributes);
    script.onload = () => (window.Skapi ? resolve() : reject(new Error("not the client")));
    script.onerror = reject;
    document.head.append(script);
  });
}

/** The tokens of a session: in dev mode the service gives them to anybody. */
export async function session(name) {
  const response = await fetch("/dev/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name, service: SERVICE, owner: OWNER }),
  });
  if (response.ok) return response.json();
  throw new Error(
    response.status === 404
      ? "This service does not run with --dev, so a backend of yours has to make the tokens."
      : `The service gave no session: ${(await response.text()).slice(0, 200)}`,
  );
}

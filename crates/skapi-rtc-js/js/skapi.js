// Skapi's realtime and WebRTC API for pages, on skapi-rtc's own client.
//
// `cargo xtask web` makes two files of this one: a script that defines `Skapi` like Skapi's own, and a module
// that exports it. HERE is where that file was loaded from.

/** An error with a `code` for programs. */
class SkapiError extends Error {
  constructor(message, { code, name, cause } = {}) {
    super(message, cause ? { cause } : undefined);
    this.name = name ?? "SkapiError";
    this.code = code ?? "ERROR";
  }
}

let loading;

/** The client itself, loaded once it is needed. */
function load() {
  loading ??= import(new URL("skapi_rtc.js", HERE).href).then(async (core) => {
    await core.default({ module_or_path: new URL("skapi_rtc_bg.wasm", HERE) });
    return core;
  });
  loading.catch(() => (loading = undefined)); // the next one may try again
  return loading;
}

/** Where Skapi's own client looks for the addresses of a service. */
const DISCOVERY = "https://d3e9syvbtso631.cloudfront.net/";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

class Skapi {
  version = "skapi-rtc";
  /** Who is signed in; null while nobody is. */
  user = null;

  #options;
  #places;
  #tokens = null;
  #session = null;
  #group = null;
  #pages = new Map();
  #log = () => {};

  /**
   * @param service The project's id, or an object of options for a service of one's own.
   * @param owner Its owner's id.
   * @param options `url` (a service of skapi-rtc's), `token` (a text, or a function that gives one).
   */
  constructor(service, owner, options, more) {
    if (typeof service === "object" && service) {
      [options, service, owner] = [service, service.service, service.owner];
    }
    if (owner && typeof owner === "object") [more, options, owner] = [options, owner, undefined];
    this.service = service ?? "self";
    this.owner = owner ?? "self";
    this.#options = { ...more, ...options };
    if (this.#options.token) this.#tokens = { accessToken: this.#options.token, idToken: this.#options.token };
    this.#places = this.#options.url ? placesOf(this.#options.url) : null;
    if (!this.#tokens) this.#recall();
    load().catch(() => {}); // early; whoever needs it learns why it fails
  }

  /** The connection's own id, `cid:…`; undefined while there is no connection. */
  get cid() {
    return this.#session?.cid;
  }

  /** Signs in with tokens of the operator's. */
  async loginWithToken(tokens) {
    const { idToken, accessToken } = tokens ?? {};
    if (!idToken || !accessToken) throw invalid("\"idToken\" and \"accessToken\" are required.");
    this.#signIn(tokens);
    const places = await this.#find().catch(() => null);
    const username = claims(idToken)["cognito:username"];
    if (places?.client && username) {
      const prefix = `CognitoIdentityServiceProvider.${places.client}`;
      store(`${prefix}.LastAuthUser`, username);
      for (const [name, token] of Object.entries(tokens)) store(`${prefix}.${username}.${name}`, token);
    }
    return this.user;
  }

  /** Who is signed in. */
  async getProfile() {
    if (!this.user) await this.#recallLater();
    return this.user;
  }

  /** Forgets who is signed in. */
  async logout() {
    await this.closeRealtime();
    const client = this.#places?.client;
    if (client) {
      const prefix = `CognitoIdentityServiceProvider.${client}`;
      for (const key of Object.keys(localStorage)) if (key.startsWith(prefix)) localStorage.removeItem(key);
    }
    this.#tokens = this.user = null;
    return "SUCCESS: The user has been logged out.";
  }

  async connectRealtime(callback) {
    if (typeof callback !== "function") throw new SkapiError("Callback must be a function.", { code: "INVALID_REQUEST" });
    this.#session ??= this.#connect(callback);
    const opening = this.#session;
    try {
      const session = await opening;
      if (this.#session === opening) this.#session = session;
      return { cid: session.cid, readyState: 1 };
    } catch (error) {
      if (this.#session === opening) this.#session = null;
      throw error;
    }
  }

  async #connect(callback) {
    const [core, places] = await Promise.all([load(), this.#find()]);
    await this.getProfile();
    if (!this.#tokens) throw new SkapiError("No access.", { code: "INVALID_REQUEST" });
    const session = await core.connect({ ...places, service: this.service, owner: this.owner, token: () => this.#token() }, (event) => {
      if (event.type === "close" && this.#session === session) {
        this.#session = null;
        this.#group = null;
      }
      callback(event);
    });
    return session;
  }

  /** The session; fails where there is none. */
  async #connected() {
    if (!this.#session) {
      throw new SkapiError("No realtime connection. Execute connectRealtime() before this method.", { code: "INVALID_REQUEST" });
    }
    return this.#session;
  }

  async closeRealtime() {
    const session = await this.#session;
    this.#session = null;
    this.#group = null;
    await session?.close();
  }

  async joinRealtime(params) {
    const session = await this.#connected();
    const group = fields(params).group || null;
    if (group !== null && typeof group !== "string") throw invalid("\"group\" must be a string | null.");
    if (group || this.#group) {
      const before = this.#group;
      this.#group = group;
      try {
        await session.join(group ?? undefined);
      } catch (error) {
        this.#group = before;
        throw error;
      }
    }
    const message = group ? `Joined realtime message group: "${group}".` : "Left realtime message group.";
    return { type: "success", message };
  }

  async postRealtime(message, recipient) {
    const session = await this.#connected();
    const user = typeof recipient === "object" ? recipient?.user_id : UUID.test(recipient) ? recipient : undefined;
    if (!recipient || (typeof recipient === "object" && !user)) throw new SkapiError("No recipient.", { code: "INVALID_REQUEST" });
    if (!user && recipient !== this.#group) {
      const join = `joinRealtime({ group: "${recipient}" })`;
      throw new SkapiError(`User has not joined to the recipient group. Run ${join}`, { code: "INVALID_REQUEST" });
    }
    await session.post(JSON.stringify(fields(message)) ?? "null", user);
    return { type: "success", message: "Message sent." };
  }

  async getRealtimeUsers(params, options) {
    const { group = this.#group, user_id } = fields(params) ?? {};
    if (!group) throw new SkapiError("No group has been joined. Otherwise \"group\" is required.", { code: "INVALID_REQUEST" });
    return this.#list("get-ws-group", { group, ...(user_id && { user_id }) }, options, ({ uid, cid }) => ({
      user_id: uid.split("#")[1],
      cid: `cid:${cid}`,
    }));
  }

  async getRealtimeGroups(params, options) {
    const { searchFor = "group", value, condition, range } = fields(params) ?? {};
    const asked = { searchFor, value: value ?? (searchFor === "group" ? " " : 0) };
    const kind = searchFor === "group" ? "string" : "number";
    if (typeof asked.value !== kind) throw invalid(`"value" must be a ${kind}.`);
    if (range !== undefined && typeof range !== kind) throw invalid(`"range" must be a ${kind}.`);
    if (range) asked.range = range;
    else asked.condition = condition ?? (asked.value === " " || !asked.value ? ">" : "=");
    return this.#list("get-ws-group", asked, options, ({ rid, cnt }) => ({ group: rid.split("#")[1], number_of_users: cnt }));
  }

  /** What the service knows of users: their names and pictures. */
  async getUsers(params, options) {
    const latest = { searchFor: "timestamp", condition: ">", value: 0 };
    const { range, ...asked } = fields(params) ?? latest;
    if (range === undefined) asked.condition ??= "=";
    else asked.range = range;
    return this.#list("get-users", asked, { ...(!params && { ascending: false }), ...options }, (user) => user);
  }

  /** Who the service is, and how it sees this page. */
  async getConnectionInfo() {
    const { api } = await this.#find();
    const found = await document_(`${api}service?service=${this.service}&owner=${this.owner}`);
    if (!found) throw new SkapiError("The service does not answer.", { code: "UNREACHABLE" });
    return {
      user_ip: found.ip,
      user_agent: found.user_agent || navigator.userAgent,
      user_location: found.locale,
      service_name: found.service_name,
      version: this.version,
      service_description: found.service_description ?? "",
      ai_agent: found.ai_agent ?? "",
    };
  }

  /** One page of a list; with `fetchMore` the one after the last. */
  async #list(path, query, { limit, startKey, ascending, fetchMore } = {}, entry) {
    const [core, places] = await Promise.all([load(), this.#find()]);
    if (!this.#tokens) await this.#recallLater();
    const asked = { service: this.service, owner: this.owner, ...query, limit, ascending };
    const name = path + JSON.stringify(asked);
    const key = startKey ?? (fetchMore ? this.#pages.get(name) : undefined);
    const startKeyHistory = [];
    if (key === "end") return { list: [], startKey: "end", endOfList: true, startKeyHistory };
    const body = JSON.stringify({ ...asked, ...(key && { startKey: key }) });
    const answer = JSON.parse(await core.query(places, await this.#token(), path, body));
    this.#pages.set(name, answer.startKey);
    return { ...answer, list: answer.list.map(entry), startKeyHistory };
  }

  async connectRTC(params, callback) {
    if (typeof callback !== "function") throw invalid("Callback is required.");
    return (await this.#connected()).call(params ?? {}, callback);
  }

  /** Ends the calls with a connection, or all. */
  async closeRTC({ cid, close_all = false } = {}) {
    if (!cid && !close_all) throw invalid("\"cid\" is required.");
    (await this.#session)?.hangUp(close_all ? undefined : cid);
  }

  /** Where the service is: its socket and its queries. */
  async #find() {
    this.#places ??= this.#discover();
    try {
      return (this.#places = await this.#places);
    } catch (error) {
      this.#places = null;
      throw error;
    }
  }

  async #discover() {
    const kept = sessionStorage.getItem(`${this.service}#${this.owner}`);
    const found = kept && JSON.parse(kept);
    if (found?.record_endpoint) return placesIn(found.record_endpoint, found.admin_endpoint);
    const region = this.service.slice(0, 4);
    // Our own service answers at the page's address; `self-host.js` answers in the place of Skapi's.
    for (const base of [`${location.origin}/`, DISCOVERY]) {
      const [record, admin] = await Promise.all(["record", "admin"].map((name) => document_(`${base}${region}/${name}-v1.json`)));
      if (record?.websocket_private) return placesIn(record, admin);
    }
    const health = await document_(`${location.origin}/health`);
    if (health?.status === "ok") return placesOf(location.origin);
    throw new SkapiError("No service was found; say where it is: new Skapi(service, owner, { url }).", { code: "UNREACHABLE" });
  }

  #signIn(tokens) {
    this.#tokens = tokens;
    const { sub, ...known } = claims(tokens.idToken);
    this.user = { user_id: sub };
    for (const name of ["name", "email", "picture", "locale", "gender", "birthdate", "phone_number", "address"]) {
      if (known[name]) this.user[name] = known[name];
    }
  }

  /** Signs in again whoever was, if that is known already. */
  #recall() {
    const kept = sessionStorage.getItem(`${this.service}#${this.owner}`);
    if (kept) this.#recallFrom(JSON.parse(kept).admin_endpoint?.userpool_client);
  }

  async #recallLater() {
    if (!this.#tokens) this.#recallFrom((await this.#find().catch(() => null))?.client);
  }

  #recallFrom(client) {
    const prefix = `CognitoIdentityServiceProvider.${client}`;
    const username = client && localStorage.getItem(`${prefix}.LastAuthUser`);
    if (!username) return;
    const [idToken, accessToken, refreshToken] = ["idToken", "accessToken", "refreshToken"].map((name) =>
      localStorage.getItem(`${prefix}.${username}.${name}`),
    );
    if (idToken && accessToken) this.#signIn({ idToken, accessToken, refreshToken });
  }

  async #token() {
    const token = this.#tokens?.accessToken;
    return typeof token === "function" ? token() : (token ?? "");
  }
}

/** Connects in one step: `connect({ url, token })`. Gives a `Skapi`. */
async function connect({ callback = () => {}, ...options }) {
  const skapi = new Skapi(options);
  await skapi.connectRealtime(callback);
  return skapi;
}

function placesOf(url) {
  const base = new URL(url.endsWith("/") ? url : `${url}/`);
  const at = (path, protocol) => {
    const place = new URL(path, base);
    place.protocol = base.protocol.replace(/^(http|ws)/, protocol);
    return place.href;
  };
  return { socket: at("ws", "ws"), api: at("api/", "http") };
}

function placesIn(record, admin) {
  return { socket: record.websocket_private, api: record.record_private, client: admin?.userpool_client };
}

/** A JSON document, or null. */
async function document_(url) {
  try {
    const response = await fetch(url);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/** What a token says. The service is who checks it. */
function claims(token) {
  try {
    const part = String(token).split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (byte) => byte.charCodeAt(0))));
  } catch {
    return {};
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // without room, or where the user does not allow it, one signs in again after a reload
  }
}

/** The fields of a form, where one is given in the place of an object. */
function fields(given) {
  if (given instanceof SubmitEvent) given.preventDefault?.();
  const form = given instanceof Event ? given.target : given;
  const data = form instanceof HTMLFormElement ? new FormData(form) : form;
  return data instanceof FormData ? Object.fromEntries(data) : data;
}

function invalid(message) {
  return new SkapiError(message, { code: "INVALID_PARAMETER" });
}

// A page in TypeScript that uses everything the package for pages declares: what does not fit fails to compile.

import {
  connect,
  Skapi,
  SkapiError,
  type DatabaseResponse,
  type FetchOptions,
  type RealtimeCallback,
  type RTCChannel,
  type RTCConnector,
  type RTCConnectorParams,
  type RTCEndReason,
  type RTCEvent,
  type RTCMedia,
  type RTCReceiverParams,
  type RTCResolved,
  type SkapiOptions,
  type Success,
  type UserProfile,
  type WebSocketMessage,
} from "skapi-rtc";

const PRESETS: RTCChannel[] = ["text-chat", "file-transfer", "video-chat", "voice-chat", "gaming"];

/** Every way to make one. */
export async function make(): Promise<Skapi> {
  const options: SkapiOptions = { url: "http://localhost:8787", token: "a token", service: "s", owner: "o" };
  const asked: SkapiOptions = { token: async () => "a token" };
  const shared = [new Skapi(options), new Skapi("service"), new Skapi("service", "owner", asked)];
  for (const skapi of shared) console.log(skapi.service.length, skapi.owner.length, skapi.user?.user_id, skapi.cid?.length);
  return connect({ ...options, callback: onRealtime });
}

export async function signIn(skapi: Skapi): Promise<string> {
  const profile: UserProfile = await skapi.loginWithToken({ idToken: "i", accessToken: "a", refreshToken: "r" });
  const same: UserProfile | null = await skapi.getProfile();
  const { user_ip, user_agent, service_name, version } = await skapi.getConnectionInfo();
  const users: DatabaseResponse<UserProfile> = await skapi.getUsers(
    { searchFor: "name", value: "a", condition: ">=", range: "b" },
    { limit: 10 },
  );
  console.log(profile.name, same?.user_id, user_ip, user_agent, service_name, version, users.list[0]?.name);
  return skapi.logout();
}

export async function realtime(skapi: Skapi, form: HTMLFormElement, event: SubmitEvent): Promise<void> {
  const socket = await skapi.connectRealtime(onRealtime);
  console.log(socket.cid?.startsWith("cid:"), socket.readyState.toFixed());
  const joined: Success = await skapi.joinRealtime({ group: "lobby" });
  for (const way of [form, event, new FormData(form), { group: null }]) await skapi.joinRealtime(way);
  await skapi.postRealtime({ hello: ["you"] }, "lobby");
  await skapi.postRealtime("only text", { user_id: "bob" });
  const options: FetchOptions = { limit: 10, fetchMore: true, ascending: false, startKey: "end" };
  const users = await skapi.getRealtimeUsers({ group: "lobby", user_id: "bob" }, options);
  const groups = await skapi.getRealtimeGroups({ searchFor: "number_of_users", value: 1, condition: "gte", range: 9 });
  for (const { user_id, cid } of users.list) console.log(user_id.length, cid.length, users.endOfList, users.startKey);
  for (const { group, number_of_users } of groups.list) console.log(group.length, number_of_users.toFixed());
  console.log(joined.type, joined.message, users.startKeyHistory.length);
  await skapi.closeRealtime();
}

export async function call(skapi: Skapi, cid: string, own: MediaStream): Promise<void> {
  const channels: RTCChannel[] = [...PRESETS, { protocol: "mine", ordered: false, maxRetransmits: 0 }];
  const media: RTCMedia[] = [{ video: true, audio: false }, own, { video: { width: 640 } }];
  const params: RTCConnectorParams = { cid, channels, ice: "stun:localhost:3478", media: own, timeout: 20 };
  const connector: RTCConnector = await skapi.connectRTC(params, onCall);
  try {
    talk(await connector.connection);
  } catch (error) {
    if (error instanceof SkapiError) console.log(error.code.length, error.message);
  }
  connector.hangup();
  console.log(media.length);
  await skapi.closeRTC({ cid });
  await skapi.closeRTC({ close_all: true });
}

/** What a page must not be allowed to write. */
export async function wrong(skapi: Skapi): Promise<void> {
  // @ts-expect-error a call needs somebody to be called
  await skapi.connectRTC({}, onCall);
  // @ts-expect-error there is no such preset
  await skapi.connectRTC({ cid: "cid:1", channels: ["telepathy"] }, onCall);
  // @ts-expect-error a message needs somebody it is for
  await skapi.postRealtime("to nobody");
  // @ts-expect-error nobody is signed in without an access token
  await skapi.loginWithToken({ idToken: "i" });
  // @ts-expect-error it may not ring any more
  const call: RTCResolved = await ({} as WebSocketMessage).connectRTC!({}, onCall);
  console.log(call);
}

function talk({ target, channels, hangup, media }: RTCResolved): void {
  const connection: RTCPeerConnection = target;
  for (const [protocol, channel] of Object.entries(channels)) channel.send(`${protocol} ${channel.readyState}`);
  for (const track of media?.getTracks() ?? []) track.enabled = !track.enabled;
  console.log(connection.connectionState);
  hangup();
}

const onRealtime: RealtimeCallback = (event: WebSocketMessage) => {
  console.log(event.sender?.length, event.sender_cid?.length, event.sender_rid?.length, event.text, event.by);
  switch (event.type) {
    case "message":
    case "private":
    case "success":
    case "error":
    case "close":
      return console.log(event.message);
    case "notice":
      return console.log(event.code === "USER_LEFT" || event.code === "USER_DISCONNECTED" || event.code === "USER_JOINED");
    case "reconnect":
      return console.log(event.retry_in?.toFixed());
    case "rtc:incoming":
      return void accept(event);
    case "rtc:closed":
      return console.log(why(event.reason as RTCEndReason));
    default:
      return never(event.type);
  }
};

async function accept(event: WebSocketMessage): Promise<void> {
  const params: RTCReceiverParams = { ice: "stun:localhost:3478", media: { video: true, audio: true } };
  const call: RTCResolved | null | undefined = await event.connectRTC?.(params, onCall);
  if (call) talk(call);
  event.hangup?.("busy");
  event.hangup?.();
}

function onCall(event: RTCEvent): void {
  switch (event.type) {
    case "track":
    case "connectionstatechange":
    case "iceconnectionstatechange":
    case "close":
    case "message":
    case "open":
    case "bufferedamountlow":
    case "error":
    case "icecandidate":
    case "icecandidateend":
    case "icecandidateerror":
    case "icegatheringstatechange":
    case "negotiationneeded":
    case "signalingstatechange":
    case "ringing":
    case "accepted":
    case "reconnecting":
    case "reconnected":
    case "ended":
      return console.log(event.target, event.timestamp);
    default:
      return never(event.type);
  }
}

function why(reason: RTCEndReason): string {
  const words: Record<RTCEndReason, string> = {
    hung_up: "hung up",
    declined: "declined",
    busy: "busy",
    cancelled: "cancelled",
    no_answer: "no answer",
    answered_elsewhere: "answered elsewhere",
    unreachable: "unreachable",
    peer_gone: "the peer is gone",
    signaling_lost: "the service is gone",
    connect_timeout: "no way to the peer",
    failed: "failed",
  };
  return words[reason];
}

/** Of an event that is missing above, the compiler says which. */
function never(event: never): void {
  throw new Error(`${event}`);
}

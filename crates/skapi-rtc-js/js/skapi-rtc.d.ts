// The realtime and WebRTC part of Skapi's API, in the shapes of its document. What is ours beyond it is marked.

/** A preset, or the options of a data channel; its `protocol` is also its label. */
export type RTCChannel = RTCDataChannelInit | "text-chat" | "file-transfer" | "video-chat" | "voice-chat" | "gaming";

export type RTCMedia = { video: boolean; audio: boolean } | MediaStream | MediaStreamConstraints;

export interface RTCReceiverParams {
  /** A STUN server beside those that the service names. */
  ice?: string;
  media?: RTCMedia;
}

export interface RTCConnectorParams extends RTCReceiverParams {
  /** Whom to call: `cid:…`. */
  cid: string;
  /** Default: one that is reliable, named `default`. */
  channels?: RTCChannel[];
  /** Ours: how long it may ring, in seconds. */
  timeout?: number;
}

export interface RTCConnector {
  /** Takes the call back, or hangs up. */
  hangup(): void;
  /** Fails with a `SkapiError` whose `code` says why, when the call does not come about. */
  connection: Promise<RTCResolved>;
}

export interface RTCResolved {
  target: RTCPeerConnection;
  channels: { [protocol: string]: RTCDataChannel };
  hangup(): void;
  media: MediaStream | null;
}

/** Why a call ended. Ours. */
export type RTCEndReason =
  | "hung_up"
  | "declined"
  | "busy"
  | "cancelled"
  | "no_answer"
  | "answered_elsewhere"
  | "unreachable"
  | "peer_gone"
  | "signaling_lost"
  | "connect_timeout"
  | "failed";

export interface RTCEvent {
  type:
    | "track"
    | "connectionstatechange"
    | "iceconnectionstatechange"
    | "close"
    | "message"
    | "open"
    | "bufferedamountlow"
    | "error"
    | "icecandidate"
    | "icecandidateend"
    | "icecandidateerror"
    | "icegatheringstatechange"
    | "negotiationneeded"
    | "signalingstatechange"
    /** Ours: it rings at the other side, */
    | "ringing"
    /** the other side has accepted, and the connection is being made, */
    | "accepted"
    /** the connection is lost, and searched for, */
    | "reconnecting"
    /** and is back. */
    | "reconnected"
    /** Ours: the call is over; with `reason`, `by` and `text`. Last event. */
    | "ended";
  target: any;
  [key: string]: any;
}

export interface WebSocketMessage {
  type: "message" | "error" | "success" | "close" | "notice" | "private" | "reconnect" | "rtc:incoming" | "rtc:closed";
  message?: any;
  /** With `rtc:incoming`: accepts. Gives null when it does not ring any more. */
  connectRTC?: (params: RTCReceiverParams, callback: (event: RTCEvent) => void) => Promise<RTCResolved | null>;
  /** With `rtc:incoming`: declines, or hangs up. Ours: declines as busy. */
  hangup?: (why?: "busy") => void;
  /** The user it comes from. */
  sender?: string | null;
  /** The connection it comes from: `cid:…`. */
  sender_cid?: string | null;
  /** The group it comes from. */
  sender_rid?: string | null;
  code?: "USER_LEFT" | "USER_DISCONNECTED" | "USER_JOINED" | string | null;
  /** Ours, with `rtc:closed`: why the call ended, */
  reason?: RTCEndReason | string;
  /** who ended it, */
  by?: "local" | "remote";
  /** and the same in words. */
  text?: string;
  /** Ours, with `reconnect`: seconds until the next attempt. */
  retry_in?: number;
}

export type RealtimeCallback = (event: WebSocketMessage) => void;

export interface FetchOptions {
  limit?: number;
  /** The next page of the same question. */
  fetchMore?: boolean;
  ascending?: boolean;
  startKey?: "end" | { [key: string]: any };
}

export interface DatabaseResponse<T> {
  list: T[];
  startKey: "end" | { [key: string]: any };
  endOfList: boolean;
  startKeyHistory: any[];
}

export interface Success {
  type: "success";
  message: string;
}

export interface UserProfile {
  user_id: string;
  name?: string;
  [attribute: string]: any;
}

/** Ours. */
export interface SkapiOptions {
  /** Where the service is. Default: where Skapi's own client would find it, or the page's own address. */
  url?: string;
  /** The token, or a function that gives one at every connect, in the place of `loginWithToken`. */
  token?: string | (() => string | Promise<string>);
  service?: string;
  owner?: string;
}

export class SkapiError extends Error {
  code: string;
}

export class Skapi {
  constructor(options: SkapiOptions);
  constructor(service: string, owner?: string, options?: SkapiOptions);

  readonly service: string;
  readonly owner: string;
  readonly user: UserProfile | null;
  /** Ours: the connection's own id, `cid:…`. */
  readonly cid: string | undefined;

  loginWithToken(tokens: { idToken: string; accessToken: string; refreshToken?: string }): Promise<UserProfile>;
  getProfile(): Promise<UserProfile | null>;
  logout(): Promise<string>;

  connectRealtime(callback: RealtimeCallback): Promise<{ readonly cid: string | undefined; readonly readyState: number }>;
  closeRealtime(): Promise<void>;
  joinRealtime(params: { group?: string | null } | SubmitEvent | HTMLFormElement | FormData): Promise<Success>;
  /** To the joined group, or to a user; a user whose id is no UUID is given as `{ user_id }`, which is ours. */
  postRealtime(message: any, recipient: string | { user_id: string }): Promise<Success>;
  getRealtimeUsers(
    params?: { group?: string; user_id?: string },
    options?: FetchOptions,
  ): Promise<DatabaseResponse<{ user_id: string; cid: string }>>;
  getRealtimeGroups(
    params?: {
      searchFor?: "group" | "number_of_users";
      value?: string | number;
      condition?: ">" | ">=" | "=" | "<" | "<=" | "!=" | "gt" | "gte" | "eq" | "lt" | "lte" | "ne";
      range?: string | number;
    } | null,
    options?: FetchOptions,
  ): Promise<DatabaseResponse<{ group: string; number_of_users: number }>>;

  getUsers(
    params?: { searchFor: string; value: string | number | string[]; condition?: string; range?: string | number },
    options?: FetchOptions,
  ): Promise<DatabaseResponse<UserProfile>>;
  getConnectionInfo(): Promise<{ user_ip: string; user_agent: string; service_name: string; version: string; [key: string]: any }>;

  connectRTC(params: RTCConnectorParams, callback: (event: RTCEvent) => void): Promise<RTCConnector>;
  closeRTC(params: { cid?: string; close_all?: boolean }): Promise<void>;
}

/** Ours: signs in and connects in one step. */
export function connect(options: SkapiOptions & { callback?: RealtimeCallback }): Promise<Skapi>;

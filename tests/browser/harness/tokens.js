// Tokens as an operator's own backend makes them: HS256, with what Skapi's client looks for.

import { createHmac, randomBytes } from "node:crypto";

export const SECRET = randomBytes(32).toString("hex");

/** The three tokens of a session, for `skapi.loginWithToken`. */
export function session({ user, name, service, seconds = 86_400, claims = {} }) {
  const now = Math.floor(Date.now() / 1000);
  const token = sign({
    sub: user,
    "cognito:username": user,
    "custom:service": service,
    name,
    iat: now,
    exp: now + seconds,
    ...claims,
  });
  return { idToken: token, accessToken: token, refreshToken: "none" };
}

function sign(payload) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(payload)}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

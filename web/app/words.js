// What happened, in words for people.

/** Why a call is over: a title, what it means, and whether calling again makes sense. */
export function ended({ reason, by, name, missed }) {
  const mine = by === "local";
  switch (reason) {
    case "hung_up":
      return mine
        ? say("You hung up", `The call with ${name} is over.`)
        : say(`${name} hung up`, "The call is over.");
    case "declined":
      return say(`${name} declined`, "It rang, but the call was not wanted now.");
    case "busy":
      return say(`${name} is busy`, "There is another call at the other side. Try again in a while.");
    case "cancelled":
      return mine ? say("Call cancelled", `You took the call to ${name} back.`) : say(`${name} gave up`, missed ?? "");
    case "no_answer":
      return say(`${name} did not answer`, "It rang for as long as it may. Perhaps later.");
    case "answered_elsewhere":
      return say("Answered on another device", "The call goes on there.");
    case "unreachable":
      return say(`${name} is not here any more`, "The page was closed, or has lost its connection.");
    case "peer_gone":
      return say(`${name} is gone`, "The other side vanished: closed, switched off, or without a network.");
    case "signaling_lost":
      return say("The service was lost", "The connection to the service broke before the call was up.");
    case "connect_timeout":
      return say("The call did not come up", `${name} accepted, but the connection was not made in time.`);
    case "failed":
      return say("The connection failed", "No way between the two sides was found, or it was lost and did not come back.");
    default:
      return say("The call did not come about", "Something went wrong; the details may say what.");
  }
}

const say = (title, text) => ({ title, text });

/** Why there is no picture or sound of one's own, from the error of `getUserMedia`. */
export function mediaTrouble(error, what) {
  switch (error?.name) {
    case "NotAllowedError":
      return `The browser does not let this page use your ${what}. Allow it at the left of the address, and try again.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `There is no ${what} at this device, or not the one that was chosen.`;
    case "NotReadableError":
    case "AbortError":
      return `Your ${what} cannot be used just now: another program may have taken it.`;
    default:
      return navigator.mediaDevices
        ? `Your ${what} cannot be used: ${error?.message ?? error}`
        : "Browsers give camera and microphone only to pages of localhost and of https.";
  }
}

/** Why one cannot enter. */
export function joinTrouble(error) {
  if (error?.code === "INVALID_TOKEN") return "The service does not accept this token. It may have expired.";
  if (error?.code === "UNREACHABLE" || error instanceof TypeError) {
    return "The service cannot be reached. Is it running, and are you online?";
  }
  return `That did not work: ${error?.message ?? error}`;
}

/** What this device is, for others to tell it from another of the same person. */
export function deviceName(agent = navigator.userAgent) {
  const browsers = [
    [/Edg\//, "Edge"],
    [/OPR\//, "Opera"],
    [/Firefox\//, "Firefox"],
    [/Chrome\//, "Chrome"],
    [/Safari\//, "Safari"],
  ];
  const systems = [
    [/iPhone/, "iPhone"],
    [/iPad/, "iPad"],
    [/Android/, "Android"],
    [/Windows/, "Windows"],
    [/Mac OS X/, "Mac"],
    [/CrOS/, "Chromebook"],
    [/Linux/, "Linux"],
  ];
  const found = (list, otherwise) => list.find(([pattern]) => pattern.test(agent))?.[1] ?? otherwise;
  return `${found(browsers, "Browser")} on ${found(systems, "some device")}`;
}

// A call that rings here: the dialog, the sound, and the ways to answer.

import { announce, byId, element, face } from "./view.js";

/** What one can say when declining. */
const REASONS = ["I am in another call", "I will call you back", "I cannot talk now"];
const BUSY = REASONS[0];

let close = null;

for (const text of REASONS) {
  byId("reasons").append(element("button", { type: "button", onclick: () => answer({ decline: true, note: text, busy: text === BUSY }) }, text));
}
byId("accept").addEventListener("click", () => answer({ video: true }));
byId("accept-audio").addEventListener("click", () => answer({ video: false }));
byId("decline").addEventListener("click", () => answer({ decline: true }));
byId("ringing").addEventListener("cancel", (event) => {
  event.preventDefault();
  answer({ decline: true });
});

/**
 * Asks whether a call is taken. Gives `{ video }`, `{ decline, note, busy }`, or null when it was over before
 * (`stopRinging`).
 */
export function ring(name, device) {
  face(byId("ringing-face"), name);
  byId("ringing-title").textContent = `${name} calls you`;
  byId("ringing-text").textContent = device ? `from ${device}` : "";
  const title = document.title;
  document.title = `${name} calls you`;
  byId("ringing").showModal();
  byId("accept").focus();
  announce(`${name} calls you. Press Enter to accept, Escape to decline.`);
  const stopSound = sound();
  return new Promise((resolve) => {
    close = (given) => {
      close = null;
      stopSound();
      document.title = title;
      byId("ringing").close();
      resolve(given);
    };
  });
}

/** The call does not ring any more. */
export function stopRinging() {
  close?.(null);
}

function answer(given) {
  close?.(given);
}

let audio;

/** Two soft tones, again and again, as far as the browser lets a page be heard; gives how to stop them. */
function sound() {
  navigator.vibrate?.([300, 200, 300]);
  try {
    audio ??= new AudioContext();
  } catch {
    return () => {};
  }
  const play = () => {
    if (audio.state !== "running") return;
    for (const [offset, frequency] of [[0, 660], [0.22, 880]]) {
      const [tone, volume] = [audio.createOscillator(), audio.createGain()];
      const at = audio.currentTime + offset;
      tone.frequency.value = frequency;
      volume.gain.setValueAtTime(0, at);
      volume.gain.linearRampToValueAtTime(0.08, at + 0.03);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 0.4);
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.45);
    }
  };
  audio.resume().then(play, () => {});
  const again = setInterval(play, 2000);
  return () => {
    clearInterval(again);
    navigator.vibrate?.(0);
  };
}

// The page on our own client when something is not as it should be: it says what, and goes on as far as it can.

import assert from "node:assert/strict";

import { Guest, inCall, servePage, twoGuests } from "../harness/guest.js";
import { scenario } from "../harness/runner.js";

/** Makes the browser refuse devices by this error; of one kind, or of both. */
function refusing(name, kind) {
  return `navigator.mediaDevices.getUserMedia = ((ask) => (constraints) =>
    !${JSON.stringify(kind)} || constraints[${JSON.stringify(kind)}]
      ? Promise.reject(new DOMException("no", ${JSON.stringify(name)}))
      : ask(constraints))(navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices));`;
}

scenario("our page: the service is killed and restarted in mid-call, and the call goes on", async (lab) => {
  const service = await servePage(lab, ["--resume-window", "5"]);
  const { alice, bob } = await inCall(lab);
  await alice.sees();
  await service.program.stop("SIGKILL");
  for (const guest of [alice, bob]) {
    await guest.page.locator('#link[data-state="lost"]').waitFor();
    await guest.finds("A call that is up goes on without it.");
  }
  await Promise.all([alice.sees(), bob.sees()]);
  await alice.says("without any service");
  await bob.reads("without any service");
  await servePageAgain(lab, service);
  for (const guest of [alice, bob]) {
    await guest.page.locator('#link[data-state="on"]').waitFor();
    await guest.page.locator('[data-notice="link"]').waitFor({ state: "detached" });
  }
  await Promise.all([alice.sees(), bob.sees()]);
  await bob.button("Hang up").click();
  assert.equal((await alice.ended()).title, "Bob hung up");
  // The lobby is as before, and the next call finds its way.
  await alice.button("Back to the lobby").click();
  await bob.button("Back to the lobby").click();
  await alice.calls("Bob");
  await bob.accepts("Alice");
  await Promise.all([alice.talks(), bob.talks()]);
});

/** The service on the port it had; the page is loaded already, so it need not serve it again. */
const servePageAgain = (lab, { port }) => lab.service(["--resume-window", "5"], port);

scenario("our page: without a camera one is heard, and told so", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await twoGuests(lab, { before: refusing("NotFoundError", "video") });
  await alice.calls("Bob");
  await alice.finds("There is no camera at this device");
  await bob.accepts("Alice");
  await Promise.all([alice.talks(), bob.talks()]);
  await alice.sees();
  await bob.page.locator("#faceless").waitFor();
  await alice.button("Turn the camera on").waitFor();
});

scenario("our page: who does not allow camera and microphone calls all the same, and can write", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await twoGuests(lab, { before: refusing("NotAllowedError") });
  await alice.calls("Bob");
  await alice.finds("The browser does not let this page use your camera and microphone.");
  await bob.accepts("Alice");
  await Promise.all([alice.talks(), bob.talks()]);
  await bob.finds("is muted");
  await alice.says("I can only write");
  await bob.reads("I can only write");
  await alice.sees();
});

scenario("our page: a service that is not there is said to be the reason, and tried again", async (lab) => {
  const service = await servePage(lab);
  const alice = await Guest.open(lab, "Alice");
  await service.program.stop();
  await alice.page.getByLabel("Your name").fill("Alice");
  await alice.button("Enter the lobby").click();
  await alice.finds("The service cannot be reached.");
  await lab.service(["--web", service.web], service.port);
  await alice.button("Enter the lobby").click();
  await alice.finds("Nobody else is here yet.");
  await alice.page.locator('[data-notice="join"]').waitFor({ state: "detached" });
});

scenario("our page: who vanishes while it rings is called away from, and who closes the page leaves at once", async (lab) => {
  await servePage(lab);
  const { alice, bob } = await twoGuests(lab);
  await alice.calls("Bob");
  await bob.rings("Alice");
  await bob.page.reload();
  const { title } = await alice.ended();
  assert.match(title, /^Bob (declined|is gone|is not here any more|hung up)$/);
  await alice.button("Back to the lobby").click();
  await alice.finds("Nobody else is here yet.");
});

scenario("our page: a second tab of the same browser is told about the first", async (lab) => {
  await servePage(lab);
  const alice = await Guest.enter(lab, "Alice");
  const second = await alice.user.context.newPage();
  await second.goto(`${lab.url}/`);
  await second.getByText("Alice is here in another tab.").waitFor();
  assert.equal(await second.getByLabel("Your name").inputValue(), "");
  await second.getByLabel("Your name").fill("Bob");
  await second.keyboard.press("Enter");
  await alice.person("Bob").waitFor();
});

scenario("our page: a service without --dev asks for a token", async (lab) => {
  await servePage(lab);
  const alice = await Guest.open(lab, "Alice");
  await alice.page.route("**/dev/session", (route) => route.fulfill({ status: 404, body: "{}" }));
  await alice.page.getByLabel("Your name").fill("Alice");
  await alice.page.keyboard.press("Enter");
  await alice.page.getByLabel("Access token").fill("no token");
  await alice.page.keyboard.press("Enter");
  await alice.finds("The service does not accept this token.");
});

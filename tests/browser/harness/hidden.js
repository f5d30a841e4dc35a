// Tabs that can be hidden. The driver's own tabs always count as shown, so these are made past it, by the browser's
// protocol for debuggers.

import { chromium } from "playwright-core";

import { FLAGS, place } from "./browser.js";
import { PATIENCE_MS, until } from "./waiting.js";

/** What the driver tells a browser so that hidden tabs go on as if they were shown. */
const KEEPS_AWAKE = [
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/** A browser whose hidden tabs are as slow as a user's. */
export async function launchSleepy(flags = []) {
  const browser = await chromium.launch({
    executablePath: place(),
    headless: true,
    args: [...FLAGS, ...flags],
    ignoreDefaultArgs: KEEPS_AWAKE,
  });
  return new SleepyBrowser(browser, await browser.newBrowserCDPSession());
}

class SleepyBrowser {
  #asked = 0;
  #waiting = new Map();

  constructor(browser, session) {
    this.browser = browser;
    this.session = session;
    session.on("Target.receivedMessageFromTarget", ({ message }) => {
      const { id, ...answer } = JSON.parse(message);
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  /** Opens a tab, in front of the others. */
  async tab(url) {
    this.context ??= (await this.session.send("Target.createBrowserContext")).browserContextId;
    const browserContextId = this.context;
    const { targetId } = await this.session.send("Target.createTarget", { url, browserContextId });
    const { sessionId } = await this.session.send("Target.attachToTarget", { targetId, flatten: false });
    const tab = new SleepyTab(this, targetId, sessionId);
    const loaded = (address) => location.href === address && document.readyState === "complete";
    await tab.until(loaded, "the page", url);
    return tab;
  }

  ask(sessionId, method, params = {}) {
    const id = (this.#asked += 1);
    const answered = new Promise((resolve) => this.#waiting.set(id, resolve));
    const sent = this.session.send("Target.sendMessageToTarget", {
      sessionId,
      message: JSON.stringify({ id, method, params }),
    });
    return sent.then(() => answered).then(({ result, error }) => {
      if (error) throw new Error(`${method}: ${error.message}`);
      return result;
    });
  }

  close() {
    return this.browser.close();
  }
}

class SleepyTab {
  constructor(browser, targetId, sessionId) {
    this.browser = browser;
    this.targetId = targetId;
    this.sessionId = sessionId;
  }

  /** Runs a function in the page. */
  async run(fn, argument) {
    const expression = `(${fn})(${JSON.stringify(argument) ?? ""})`;
    const asked = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails: thrown } = await this.browser.ask(this.sessionId, "Runtime.evaluate", asked);
    if (thrown) throw new Error(thrown.exception?.description ?? thrown.text);
    return result.value;
  }

  /** Waits until a function of the page gives something true, and gives it. */
  until(fn, what, argument, patience = PATIENCE_MS) {
    return until(() => this.run(fn, argument), what, patience);
  }

  /** Brings the tab to the front, and waits until it knows. */
  async show() {
    await this.browser.session.send("Target.activateTarget", { targetId: this.targetId });
    await this.until(() => document.visibilityState === "visible", "the tab to be shown");
  }

  /** Puts another tab before it, and waits until it knows. */
  async hide() {
    await this.browser.tab("about:blank");
    await this.until(() => document.visibilityState === "hidden", "the tab to be hidden");
  }

  /** Lets a hidden tab sleep: nothing of it runs until it is shown. */
  freeze() {
    return this.browser.ask(this.sessionId, "Page.setWebLifecycleState", { state: "frozen" });
  }
}

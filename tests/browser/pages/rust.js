// What the tests in Rust do inside a page: their module, and the errors that nobody caught.

import load, * as tests from "/tests/skapi_rtc.js";

const failed = new Promise((_, reject) => {
  addEventListener("error", (event) => reject(new Error(event.message)));
  addEventListener("unhandledrejection", (event) => reject(event.reason));
});
failed.catch(() => {});

/** Calls a function of the tests in Rust. A panic, which leaves its promise alone, is an error as well. */
window.rust = async (name, ...args) => {
  await loaded;
  return Promise.race([tests[name](...args), failed]);
};

const loaded = load();

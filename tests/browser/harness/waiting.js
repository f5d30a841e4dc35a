// Waiting for what has to happen, instead of for a while.

/** How long anything may take at most, on a machine that is busy. */
export const PATIENCE_MS = 30_000;

/** Waits until `holds` gives something true, and gives it. */
export async function until(holds, what, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > deadline) {
      throw new Error(`waited ${patience / 1000} s for ${typeof what === "function" ? what() : what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// What happens between two ends of the matrix: a call with a volley, and one with sound and picture.

/** Messages of a volley: texts and bytes by turns, there and back. */
const VOLLEY = 256;

/** Plays one cell, and gives what came of it: `yes`, or why there are no media. Throws what failed, with its part. */
export async function play(caller, callee) {
  await part("data", async () => {
    await caller.volley(await callee.wait({ media: false }), VOLLEY);
    await callee.isLeft();
  });
  const without = new Set([caller, callee].filter((end) => !end.hasMedia).map((end) => end.name));
  const wishes = { media: without.size === 0 };
  await part(wishes.media ? "media" : "data", async () => {
    await caller.dial(await callee.wait(wishes), wishes);
    if (wishes.media) await callee.perceives();
    await callee.hangUp(wishes);
    await caller.isHungUpOn();
  });
  return { data: "yes", media: wishes.media ? "yes" : `no: ${[...without].join(" and ")}` };
}

async function part(name, work) {
  try {
    return await work();
  } catch (error) {
    error.part ??= name;
    throw error;
  }
}

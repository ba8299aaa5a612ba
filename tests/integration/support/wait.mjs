// Bounded waits.

const pollMs = 5;

/** Settles as `promise` does; rejects if that takes longer than `boundMs`. */
export function within(promise, what, boundMs = 30_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${boundMs} ms`)), boundMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Resolves with the first truthy value of `look()`; rejects if there is none within `boundMs`. */
export async function until(look, what, boundMs = 30_000) {
  for (const end = Date.now() + boundMs; ;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${typeof what === 'function' ? what() : what}: not within ${boundMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

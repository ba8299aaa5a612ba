// What the browser remembers for the page. `area` is 'browser', or 'tab' for values that end with the tab. A browser
// may forbid both; then nothing is remembered, and everything else works as usual.

const prefix = 'flux.';

/** The remembered value, or `fallback`. */
export function recall(area, key, fallback) {
  try {
    return JSON.parse(storage(area).getItem(prefix + key)) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Remembers a value that JSON can represent; null forgets it. */
export function remember(area, key, value) {
  try {
    if (value === null) storage(area).removeItem(prefix + key);
    else storage(area).setItem(prefix + key, JSON.stringify(value));
  } catch {
    // Forbidden or full.
  }
}

function storage(area) {
  return area === 'tab' ? sessionStorage : localStorage;
}

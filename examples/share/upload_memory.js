// What the browser remembers about unfinished uploads, so that they resume after a reload: the URL of each in
// localStorage, keyed by the file's name, size and time and by the room; and, for this tab, which of them are
// unfinished.

import {recall, remember} from './memory.js';

const keptMs = 24 * 60 * 60 * 1000;
const keptCount = 100;

/** The same key for a file that is chosen again for the same room (null: the public space). */
export function uploadKey(file, roomId) {
  return JSON.stringify([file.name, file.size, file.lastModified, roomId]);
}

export function recallUrl(key) {
  return urls()[key]?.url ?? null;
}

/** Null forgets it. */
export function rememberUrl(key, url) {
  const {[key]: _, ...others} = urls();
  remember('browser', 'uploads', url === null ? others : {...others, [key]: {url, at: Date.now()}});
}

/** The unfinished uploads of this tab: `[{key, roomId, name, size, uploadId}]`. */
export function recallUnfinished() {
  return recall('tab', 'unfinished', []).filter(({key}) => recallUrl(key) !== null);
}

export function rememberUnfinished(uploads) {
  remember('tab', 'unfinished', uploads);
}

function urls() {
  const all = Object.entries(recall('browser', 'uploads', {}));
  return Object.fromEntries(all.filter(([, {at}]) => Date.now() - at < keptMs).slice(-keptCount));
}

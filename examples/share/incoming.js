// Files that other members are currently uploading to a room.

import {element} from './element.js';
import {sizeText} from './size_text.js';

const silentMs = 20_000; // an upload without a report for this long is paused or abandoned
const rowsMax = 20;

export class Incoming {
  #list;
  #changed;
  #rows = new Map(); // by upload id
  #shown = null;

  /** @param {() => void} changed  rows were added or removed */
  constructor(list, changed) {
    this.#list = list;
    this.#changed = changed;
  }

  /** Shows a progress report from the server: `{uploadId, fileName, offset, length, done}`. */
  report(roomId, {uploadId, fileName, offset, length, done} = {}) {
    if (typeof uploadId !== 'string') return;
    if (done) return this.remove(uploadId);
    if (!this.#rows.has(uploadId) && this.#rows.size === rowsMax) return;
    const row = this.#rows.get(uploadId) ?? this.#makeRow(roomId, uploadId, String(fileName || 'file'));
    const [sent, size] = [Number(offset) || 0, Number(length) || 0];
    // A length of 0 means that the uploader does not know it yet.
    if (size > 0) Object.assign(row.bar, {max: size, value: sent});
    row.note.textContent = size > 0 ? `${sizeText(sent)} of ${sizeText(size)}` : sizeText(sent);
    clearTimeout(row.timer);
    row.timer = setTimeout(() => this.remove(uploadId), silentMs);
  }

  remove(uploadId) {
    const row = this.#rows.get(uploadId);
    if (!row) return;
    clearTimeout(row.timer);
    row.node.remove();
    this.#rows.delete(uploadId);
    this.#changed();
  }

  /** Without a connection no reports arrive. */
  clear() {
    for (const uploadId of [...this.#rows.keys()]) this.remove(uploadId);
  }

  /** Shows the rows of this place. */
  show(roomId) {
    this.#shown = roomId;
    for (const row of this.#rows.values()) row.node.hidden = row.roomId !== roomId;
  }

  count(roomId) {
    return [...this.#rows.values()].filter((row) => row.roomId === roomId).length;
  }

  #makeRow(roomId, uploadId, name) {
    const bar = element('progress', {max: 1, attributes: {'aria-label': `${name}, from somebody else`}});
    const note = element('p', {className: 'facts upload-note'});
    const node = element(
      'li',
      {className: 'upload incoming', hidden: roomId !== this.#shown},
      element('p', {className: 'upload-name', dir: 'auto', title: name}, name),
      note,
      element('span', {className: 'tag'}, 'coming'),
      bar,
    );
    const row = {roomId, node, bar, note, timer: 0};
    this.#rows.set(uploadId, row);
    this.#list.append(node);
    this.#changed();
    return row;
  }
}

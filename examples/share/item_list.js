// The items shared in a place: texts, and files with their pictures. Rows are reused when the list is updated, so
// pictures are not loaded twice.

import {element, icon, iconButton} from './element.js';
import {sizeText} from './size_text.js';

const nearEnd = 80; // pixels from the newest item that still count as being at the end
const longText = {characters: 1200, lines: 14}; // a longer text is folded

/** @typedef {{kind: 'text', text: string} | {kind: 'file', fileId: string, name: string, mimeType: string, size: number}} Item */

/**
 * Reads StoredData; null if it is not valid. Input from others is not trusted.
 * @returns {Item|null}
 */
export function readItem(data) {
  if (data?.type === 'string' && typeof data.content === 'string') return {kind: 'text', text: data.content};
  if (data?.type !== 'file' || typeof data.fileId !== 'string') return null;
  const {fileId, fileName, mimeType, size} = data;
  return {
    kind: 'file',
    fileId,
    name: String(fileName || 'file'),
    mimeType: String(mimeType ?? ''),
    size: Number.isFinite(size) && size >= 0 ? size : 0,
  };
}

/** How an item is referred to in a sentence. */
export function itemTitle({kind, text, name}) {
  return kind === 'file' ? name : text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

export function fileUrl({fileId, name}) {
  return `/files/${encodeURIComponent(fileId)}?filename=${encodeURIComponent(name)}`;
}

export class ItemList {
  #feed;
  #list;
  #onPicture;
  #onCopied;
  #rows = new Map();

  /**
   * @param {{feed: HTMLElement, list: HTMLElement}} elements  `feed` scrolls
   * @param {(item: Item) => void} onPicture  opens a picture at full size
   * @param {(text: string) => void} onCopy
   */
  constructor({feed, list}, onPicture, onCopy) {
    this.#feed = feed;
    this.#list = list;
    this.#onPicture = onPicture;
    this.#onCopied = onCopy;
  }

  /** Shows these items, oldest first. `fromEnd`: the place has changed, so scroll to the newest. */
  show(items, fromEnd = false) {
    const {scrollHeight, scrollTop, clientHeight} = this.#feed;
    const wasAtEnd = scrollHeight - scrollTop - clientHeight < nearEnd;
    const before = fromEnd ? new Map() : this.#rows;
    const counts = new Map();
    this.#rows = new Map();
    for (const item of items) {
      const what = JSON.stringify([item.kind, item.fileId ?? item.text]);
      const count = (counts.get(what) ?? 0) + 1;
      counts.set(what, count);
      const key = `${count} ${what}`;
      this.#rows.set(key, before.get(key) ?? this.#makeRow(item));
    }
    const rows = new Set(this.#rows.values());
    for (const row of [...this.#list.children]) if (!rows.has(row)) row.remove();
    let next = this.#list.firstElementChild;
    for (const row of rows) {
      if (row === next) next = next.nextElementSibling;
      else this.#list.insertBefore(row, next);
    }
    if (wasAtEnd || fromEnd) this.#feed.scrollTop = this.#feed.scrollHeight;
  }

  #makeRow(item) {
    const row = item.kind === 'text' ? this.#textRow(item) : this.#fileRow(item);
    if (item.isOwn) row.querySelector('.item-body').append(element('p', {className: 'item-own'}, 'Passed on'));
    return row;
  }

  #textRow({text}) {
    const content = element('p', {className: 'item-text', dir: 'auto'}, text);
    const body = element('div', {className: 'item-body'}, content);
    if (text.length > longText.characters || text.split('\n').length > longText.lines) {
      content.classList.add('folded');
      const unfold = element('button', {type: 'button', className: 'link'}, 'Show all of it');
      unfold.addEventListener('click', () => {
        unfold.textContent = content.classList.toggle('folded') ? 'Show all of it' : 'Show less';
      });
      body.append(unfold);
    }
    const copy = iconButton('copy', 'Copy the text', () => this.#onCopied(text));
    return element('li', {className: 'item text-item'}, body, copy);
  }

  #fileRow(item) {
    const {name, size, mimeType} = item;
    const download = element('a', {
      className: 'icon-button',
      href: fileUrl(item),
      download: name,
      title: `Download ${name}`,
      attributes: {'aria-label': `Download ${name}`},
    });
    download.append(icon('download'));
    const facts = [sizeText(size), mimeType].filter(Boolean).join(' · ');
    return element(
      'li',
      {className: 'item file-item'},
      mimeType.startsWith('image/') ? this.#picture(item) : element('span', {className: 'thumb'}, icon('file')),
      element(
        'div',
        {className: 'item-body'},
        element('p', {className: 'item-name', dir: 'auto', title: name}, name),
        element('p', {className: 'facts'}, facts),
      ),
      download,
    );
  }

  #picture(item) {
    const image = element('img', {loading: 'lazy', decoding: 'async', alt: '', width: 160, height: 112});
    const button = element('button', {type: 'button', className: 'thumb picture', title: `Show ${item.name}`}, image);
    button.setAttribute('aria-label', `Show ${item.name}`);
    button.addEventListener('click', () => this.#onPicture(item));
    // A file with an image type may not be a valid image.
    image.addEventListener('error', () => button.replaceWith(element('span', {className: 'thumb'}, icon('file'))));
    image.src = fileUrl(item);
    return button;
  }
}

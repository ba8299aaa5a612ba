// The members of the room: the list of people, and the row of avatars that summarises it.

import {avatar, element} from './element.js';
import {personColor} from './palette.js';

const avatarsShown = 5;
const nameLength = 40;

export class Presence {
  #people = new Map();
  #ownId = null;
  #elements;
  #onChange;

  /**
   * @param {{button: HTMLButtonElement, row: HTMLElement, count: HTMLElement, panel: HTMLElement,
   *     list: HTMLElement}} elements
   * @param {(people: Map<string, Object>) => void} onChange  called after every change with the other members, by
   * connection id
   */
  constructor(elements, onChange) {
    this.#elements = elements;
    this.#onChange = onChange;
    this.#bindPanel();
  }

  /** Starts from the snapshot of `room_joined`. */
  reset(ownId, entries) {
    this.#ownId = ownId;
    this.#people.clear();
    for (const entry of Object.values(entries ?? {})) this.#put(entry);
    this.#show();
  }

  /** Applies a `presence_updated`. A frame may include the receiver itself and members that are already known. */
  update({joined, left, updated}) {
    for (const entry of [...(joined ?? []), ...(updated ?? [])]) this.#put(entry);
    for (const id of left ?? []) this.#people.delete(id);
    this.#show(Boolean(joined?.length || left?.length));
  }

  /** The person behind a connection, `{id, name, color, cursor}`, while they are in the room. */
  get(connectionId) {
    return this.#people.get(connectionId);
  }

  /** The colours of the people whose connection id meets the condition. */
  colorsOf(isMeant) {
    return new Set([...this.#people.values()].filter(({id}) => isMeant(id)).map(({color}) => color));
  }

  /** Shows the user's own colour at once: the server sends the change only to the others. */
  recolor(connectionId, color) {
    const person = this.#people.get(connectionId);
    if (person) Object.assign(person, {color});
    this.#show();
  }

  #put(entry) {
    const {connectionId, presence} = entry ?? {};
    if (typeof connectionId !== 'string') return;
    const name =
      String(presence?.name ?? entry.name ?? '')
        .trim()
        .slice(0, nameLength) || 'Guest';
    this.#people.set(connectionId, {
      id: connectionId,
      name,
      color: personColor(presence?.color, connectionId),
      cursor: readCursor(presence?.cursor),
    });
  }

  #show(listChanged = true) {
    const others = new Map(this.#people);
    others.delete(this.#ownId);
    this.#onChange(others);
    // Cursors move many times a second; the list is rebuilt only when something it shows has changed.
    if (listChanged || this.#signature() !== this.#elements.list.dataset.shows) this.#showList(others);
  }

  #signature() {
    return JSON.stringify([...this.#people.values()].map(({id, name, color}) => [id, name, color]));
  }

  #showList(others) {
    const {button, row, count, list} = this.#elements;
    const own = this.#people.get(this.#ownId);
    const byName = [...others.values()].sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
    const people = own ? [own, ...byName] : byName;
    list.dataset.shows = this.#signature();
    list.replaceChildren(...people.map((person) => personRow(person, person === own)));

    const discs = people.slice(0, avatarsShown).map(({name, color}) => avatar(name, color));
    if (own) discs[0].classList.add('own');
    row.replaceChildren(...discs);
    count.textContent = String(people.length);
    button.setAttribute('aria-label', people.length === 1 ? 'Only you are here' : `${people.length} people are here`);
  }

  #bindPanel() {
    const {button, panel} = this.#elements;
    const setOpen = (open) => {
      panel.hidden = !open;
      button.setAttribute('aria-expanded', String(open));
    };
    button.addEventListener('click', () => setOpen(panel.hidden));
    document.addEventListener('pointerdown', ({target}) => {
      if (!panel.contains(target) && !button.contains(target)) setOpen(false);
    });
    document.addEventListener('keydown', ({key}) => {
      if (key !== 'Escape' || panel.hidden) return;
      setOpen(false);
      button.focus();
    });
  }
}

function personRow({id, name, color}, isOwn) {
  const label = element('span', {className: 'person-name'}, name);
  const row = element('li', {className: 'person', dataset: {connectionId: id}}, avatar(name, color), label);
  if (isOwn) {
    row.classList.add('own');
    row.append(element('span', {className: 'tag'}, 'you'));
  }
  return row;
}

/** A point of the board, 0 to 1 each way, or null. Input from others is not trusted. */
function readCursor(cursor) {
  const {x, y} = cursor ?? {};
  return Number.isFinite(x) && Number.isFinite(y) && x >= 0 && x <= 1 && y >= 0 && y <= 1 ? {x, y} : null;
}

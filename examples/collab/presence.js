// The members of the room: the list of people, and the row of avatars that summarises it. Several tabs of one person are
// one line; each has a pointer of its own.

import {avatar, element} from './element.js';
import {personColor} from './palette.js';

const avatarsShown = 5;
const nameLength = 40;
const idLength = 64;

export class Presence {
  #room = null;
  #elements;
  #onChange;

  /**
   * @param {{button: HTMLButtonElement, row: HTMLElement, count: HTMLElement, panel: HTMLElement,
   *     list: HTMLElement}} elements
   * @param {(members: Map<string, Object>) => void} onChange  called after every change with the other members, by
   * connection id
   */
  constructor(elements, onChange) {
    this.#elements = elements;
    this.#onChange = onChange;
    this.#bindPanel();
  }

  /** The members of this room of flux.js have changed; null: we are in none. */
  show(room) {
    this.#room = room;
    const members = [...(room?.members.values() ?? [])].map(readMember);
    const others = members.filter(({id}) => id !== room.connectionId);
    this.#onChange(new Map(others.map((member) => [member.id, member])));
    const own = room?.connectionId;
    const people = (room?.people(personOf) ?? []).map(readMember);
    people.sort((a, b) => (b.id === own) - (a.id === own) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
    // Cursors move many times a second; the list is rebuilt only when something it shows has changed.
    const shown = JSON.stringify([own, people.map(({id, name, color}) => [id, name, color])]);
    if (shown === this.#elements.list.dataset.shows) return;
    this.#elements.list.dataset.shows = shown;
    this.#showList(people, own);
  }

  /** The person behind a connection, `{id, name, color, cursor}`, while they are in the room. */
  get(connectionId) {
    const entry = this.#room?.members.get(connectionId);
    return entry && readMember(entry);
  }

  /** The colour that our person has in another tab; undefined if this is the only one. */
  colorElsewhere() {
    const own = this.#ownEntry();
    const twin = own && this.#others().find((entry) => personOf(entry) === personOf(own));
    return twin && readMember(twin).color;
  }

  /** The colours of the other members. */
  colorsOfOthers() {
    return new Set(this.#others().map((entry) => readMember(entry).color));
  }

  #ownEntry() {
    return this.#room?.members.get(this.#room.connectionId);
  }

  #others() {
    const own = this.#ownEntry();
    return [...(this.#room?.members.values() ?? [])].filter((entry) => entry !== own);
  }

  #showList(people, ownId) {
    const {button, row, count, list} = this.#elements;
    const isOwn = ({id}) => id === ownId;
    list.replaceChildren(...people.map((person) => personRow(person, isOwn(person))));

    const discs = people.slice(0, avatarsShown).map(({name, color}) => avatar(name, color));
    if (people.some(isOwn)) discs[0].classList.add('own');
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

/**
 * What the entries of one person have in common: the user, if the server knows one, otherwise the browser and the name.
 * Like the name, the browser's id is what the page says: it proves nothing.
 */
function personOf({userId, connectionId, presence}) {
  if (userId) return `user ${userId}`;
  const {browser, name} = presence ?? {};
  return typeof browser === 'string' ? `browser ${browser.slice(0, idLength)} ${name}` : `connection ${connectionId}`;
}

/** A member, from the entry of a room. */
function readMember({connectionId, name, presence}) {
  const shown = String(presence?.name ?? name ?? '')
    .trim()
    .slice(0, nameLength);
  const color = personColor(presence?.color, connectionId);
  return {id: connectionId, name: shown || 'Guest', color, cursor: readCursor(presence?.cursor)};
}

/** A point of the board, 0 to 1 each way, or null. Input from others is not trusted. */
function readCursor(cursor) {
  const {x, y} = cursor ?? {};
  return Number.isFinite(x) && Number.isFinite(y) && x >= 0 && x <= 1 && y >= 0 && y <= 1 ? {x, y} : null;
}

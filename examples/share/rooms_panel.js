// The sidebar: the places that the user has joined, the rooms that are open to join, and the two forms.

import {element} from './element.js';
import {modeNames} from './places.js';

export class RoomsPanel {
  #elements;
  #actions;
  #ownRows = new Map();
  #openRows = new Map();

  /**
   * @param {{own: HTMLElement, open: HTMLElement, openNote: HTMLElement, join: HTMLFormElement, create: HTMLFormElement,
   *     details: HTMLDetailsElement}} elements
   * @param {{show: (roomId: string|null) => void, join: (roomId: string) => Promise<void>, create: (room: Object) =>
   * Promise<void>}} actions  the last two reject with the server's message
   */
  constructor(elements, actions) {
    this.#elements = elements;
    this.#actions = actions;
    this.#bind();
  }

  /** Shows the places that the user has joined. */
  showOwn(places, current) {
    const rows = reconcile(this.#elements.own, this.#ownRows, places, (place) => {
      const name = element('span', {className: 'place-label', dir: 'auto'}, place.name);
      const badge = element('span', {className: 'badge'});
      const button = element('button', {type: 'button', className: 'own-place'}, name, badge);
      button.addEventListener('click', () => this.#actions.show(place.roomId));
      return Object.assign(element('li', {}, button), {button, badge});
    });
    for (const [place, {button, badge}] of rows) {
      if (place === current) button.setAttribute('aria-current', 'page');
      else button.removeAttribute('aria-current');
      button.classList.toggle('away', !place.isHere);
      const count = place.unread > 99 ? '99+' : String(place.unread);
      badge.replaceChildren(count, element('span', {className: 'sr-only'}, ' new'));
      badge.hidden = place.unread === 0;
    }
  }

  /** Shows the rooms to join; null: the server does not list them. */
  showOpen(rooms) {
    const {open, openNote} = this.#elements;
    openNote.textContent =
      rooms === null ? 'This server does not list its rooms.' : rooms.length === 0 ? 'None now.' : '';
    const sorted = [...(rooms ?? [])].sort((a, b) => a.roomId.localeCompare(b.roomId));
    const rows = reconcile(open, this.#openRows, sorted, ({roomId}) => {
      const name = element('p', {className: 'place-label', dir: 'auto', title: roomId}, roomId);
      const facts = element('p', {className: 'facts'});
      const problem = element('p', {className: 'problem', attributes: {role: 'alert'}});
      const button = element('button', {type: 'button', className: 'small-button'}, 'Join');
      button.setAttribute('aria-label', `Join ${roomId}`);
      button.addEventListener('click', () => attempt(problem, () => this.#actions.join(roomId)));
      const row = element('li', {className: 'open-room'}, name, facts, button, problem);
      return Object.assign(row, {facts});
    });
    for (const [{mode, members, capacity}, {facts}] of rows)
      facts.textContent = `${modeNames[mode] ?? mode} · ${members} of ${capacity}`;
  }

  #bind() {
    const {join, create, details} = this.#elements;
    const [joinName, joinProblem] = ['input', '.problem'].map((selector) => join.querySelector(selector));
    const [roomName, capacity, createProblem] = ['#room-name', '#capacity', '.problem'].map((selector) =>
      create.querySelector(selector),
    );
    for (const input of [joinName, roomName]) input.addEventListener('input', () => input.setCustomValidity(''));
    join.addEventListener('submit', async (event) => {
      event.preventDefault();
      const roomId = readName(joinName);
      if (roomId && (await attempt(joinProblem, () => this.#actions.join(roomId)))) join.reset();
    });
    create.addEventListener('submit', async (event) => {
      event.preventDefault();
      const roomId = readName(roomName);
      if (!roomId) return;
      const room = {roomId, mode: new FormData(create).get('mode'), capacity: capacity.valueAsNumber};
      if (!(await attempt(createProblem, () => this.#actions.create(room)))) return;
      create.reset();
      details.open = false;
    });
    details.addEventListener('toggle', () => details.open && roomName.focus());
  }
}

/** Shows an error next to the form that caused it; returns whether the action succeeded. */
export async function attempt(problem, action) {
  problem.textContent = '';
  try {
    await action();
    return true;
  } catch (error) {
    problem.textContent = error.message;
    return false;
  }
}

/** The name without control characters and with single spaces; if nothing is left, '' and a message to the user. */
function readName(input) {
  const name = input.value
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  input.setCustomValidity(name === '' ? 'A room has a name.' : '');
  input.reportValidity();
  return name;
}

/**
 * One row for each thing with a `roomId`, in this order; reused rows keep their focus and state. Returns a map from
 * thing to row.
 */
function reconcile(list, rows, things, makeRow) {
  const ids = new Set(things.map(({roomId}) => roomId));
  for (const [id, row] of rows) {
    if (ids.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  let before = null;
  const shown = new Map();
  for (const thing of things) {
    const row = rows.get(thing.roomId) ?? makeRow(thing);
    rows.set(thing.roomId, row);
    shown.set(thing, row);
    const place = before === null ? list.firstElementChild : before.nextElementSibling;
    if (place !== row) list.insertBefore(row, place);
    before = row;
  }
  return shown;
}

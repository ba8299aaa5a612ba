// The members who are connected. A moderator can remove them.

import {avatar, element} from '/collab/element.js';
import {personColor} from '/collab/palette.js';

export class Members {
  ownId = null;
  isModerator = false;
  #find;
  #remove;
  #asking = null; // whom the moderator has been asked about
  #connections = new Map(); // connection to `{userId, name}`

  /** @param {(userId: string) => void} remove */
  constructor(find, remove) {
    this.#find = find;
    this.#remove = remove;
  }

  /** The members of the room, from `room_joined`. */
  reset(presence) {
    this.#connections = new Map(Object.entries(presence));
    this.#show();
  }

  /** A `presence_updated`. */
  update({joined = [], left = []}) {
    for (const entry of joined) this.#connections.set(entry.connectionId, entry);
    for (const connectionId of left) this.#connections.delete(connectionId);
    this.#show();
  }

  /** One row for each user, however many connections they have. */
  #show() {
    const users = new Map([...this.#connections.values()].map(({userId, name}) => [userId, name]));
    const rows = [...users].sort(([, a], [, b]) => a.localeCompare(b)).map(([id, name]) => this.#row(id, name));
    const focused = document.activeElement?.dataset?.remove;
    this.#find('members').replaceChildren(...rows);
    if (focused) this.#find('members').querySelector(`[data-remove="${focused}"]`)?.focus();
  }

  #row(id, name) {
    const row = element(
      'li',
      {className: 'member'},
      avatar(name, personColor(null, id)),
      element('span', {className: 'member-name', dir: 'auto', title: name}, name),
    );
    if (id === this.ownId) row.append(element('span', {className: 'you'}, 'you'));
    else if (this.isModerator) row.append(this.#removeButton(id, name));
    return row;
  }

  /** The first click asks, the second one removes. */
  #removeButton(id, name) {
    const isAsking = this.#asking === id;
    const button = element('button', {type: 'button', className: isAsking ? 'small remove asking' : 'small remove'});
    button.textContent = isAsking ? 'Sure?' : 'Remove';
    button.setAttribute('aria-label', isAsking ? `Sure? Remove ${name}` : `Remove ${name}`);
    button.dataset.remove = id;
    button.addEventListener('click', () => {
      this.#asking = isAsking ? null : id;
      if (isAsking) this.#remove(id);
      this.#show();
    });
    return button;
  }
}

// The players with their points, best first; greyed while they are away. The host can remove them.

import {avatar, element} from '/collab/element.js';
import {personColor} from '/collab/palette.js';

export class Players {
  ownId = null;
  isHost = false;
  #find;
  #remove;
  #state = null;
  #asking = null; // whom the host has been asked about
  #here = new Set(); // user ids

  /** @param {(id: string) => void} remove  the host removes this player */
  constructor(find, remove) {
    this.#find = find;
    this.#remove = remove;
  }

  /** The members of the room have changed. */
  here(members) {
    this.#here = new Set([...members.values()].map(({userId}) => userId));
    if (this.#state) this.show(this.#state);
  }

  show(state) {
    this.#state = state;
    const list = this.#find('leaderboard');
    const focused = document.activeElement?.dataset?.remove;
    list.replaceChildren(...state.leaderboard.map((player) => this.#row(player, this.#here.has(player.id))));
    if (focused) list.querySelector(`[data-remove="${focused}"]`)?.focus();
    this.#find('nobody').hidden = state.leaderboard.length > 0;
  }

  #row({id, name, points, gain}, isHere) {
    const row = element(
      'li',
      {className: isHere ? 'player' : 'player away'},
      avatar(name, personColor(null, id)),
      element('span', {className: 'player-name', dir: 'auto', title: name}, name),
    );
    if (id === this.ownId) row.append(element('span', {className: 'you'}, 'you'));
    if (!isHere) row.append(element('span', {className: 'you'}, 'away'));
    if (gain > 0) row.append(element('span', {className: 'gained'}, `+${gain}`));
    row.append(element('span', {className: 'points'}, points.toLocaleString('en')));
    if (this.isHost) row.append(this.#removeButton(id, name));
    return row;
  }

  /** The first click asks, the second one removes. */
  #removeButton(id, name) {
    const isAsking = this.#asking === id;
    const button = element('button', {type: 'button', className: isAsking ? 'remove asking' : 'remove'});
    button.textContent = isAsking ? 'Sure?' : 'Remove';
    button.setAttribute('aria-label', isAsking ? `Sure? Remove ${name}` : `Remove ${name}`);
    button.dataset.remove = id;
    button.addEventListener('click', () => {
      this.#asking = isAsking ? null : id;
      if (isAsking) this.#remove(id);
      this.show(this.#state);
    });
    return button;
  }
}

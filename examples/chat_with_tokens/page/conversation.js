// The conversation. Names come from the server, which knows them from the senders' tokens.

import {avatar, element} from '/collab/element.js';
import {personColor} from '/collab/palette.js';

const messagesMax = 200;

export class Conversation {
  ownId = null;
  #find;

  /** @param {(text: string) => Promise} send */
  constructor(find, send) {
    this.#find = find;
    const field = find('message');
    find('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (text) this.#say(send, text);
    });
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      find('composer').requestSubmit();
    });
    field.addEventListener('input', () => this.showProblem(''));
  }

  /** Shows the newest messages, from `room_joined`. */
  reset(messages) {
    this.#find('messages').replaceChildren();
    this.#find('nothing').hidden = false;
    for (const message of messages) this.add(message);
  }

  /** A `chat_message`. */
  add({userId, message, metadata, createdAt}) {
    const name = metadata?.name ?? 'Server';
    const color = personColor(null, userId);
    const list = this.#find('messages');
    const follows = list.lastChild?.dataset.user === userId;
    const time = new Date(createdAt).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
    list.append(
      element(
        'li',
        {
          className: `message${userId === this.ownId ? ' own' : ''}${follows ? ' follows' : ''}`,
          dataset: {user: userId ?? ''},
        },
        avatar(name, color),
        element(
          'div',
          {className: 'said', dataset: {color}},
          element(
            'p',
            {className: 'byline'},
            element('span', {className: 'author', dir: 'auto'}, name),
            element('time', {}, time),
          ),
          element('p', {className: 'text', dir: 'auto'}, message),
        ),
      ),
    );
    while (list.children.length > messagesMax) list.firstChild.remove();
    this.#find('nothing').hidden = true;
    this.#find('log').scrollTop = this.#find('log').scrollHeight;
  }

  showProblem(text) {
    this.#find('problem').textContent = text;
  }

  async #say(send, text) {
    const field = this.#find('message');
    field.value = '';
    try {
      await send(text);
      this.showProblem('');
    } catch ({message}) {
      this.showProblem(`Not sent: ${message}`);
      if (field.value === '') field.value = text;
    }
  }
}

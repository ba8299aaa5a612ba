// The conversation. The server may refuse a message, or hold it for a while.

import {avatar, element} from '/collab/element.js';
import {personColor} from '/collab/palette.js';

const messagesMax = 200;

export class Conversation {
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
    for (const message of messages) this.add(message);
  }

  /** A `chat_message`. The server has put the sender's name into its metadata. */
  add({userId, message, metadata}) {
    const name = metadata?.name ?? 'Quiz';
    const color = personColor(null, userId);
    const list = this.#find('messages');
    list.append(
      element(
        'li',
        {className: userId ? 'message' : 'message from-quiz'},
        avatar(name, color),
        element(
          'div',
          {className: 'said', dataset: {color}},
          element('p', {className: 'byline'}, element('span', {className: 'author', dir: 'auto'}, name)),
          element('p', {className: 'text', dir: 'auto'}, message),
        ),
      ),
    );
    while (list.children.length > messagesMax) list.firstChild.remove();
    this.#find('log').scrollTop = this.#find('log').scrollHeight;
  }

  showProblem(text) {
    this.#find('problem').textContent = text;
  }

  async #say(send, text) {
    const field = this.#find('message');
    field.value = '';
    try {
      const {held} = (await send(text)) ?? {};
      this.showProblem(held ? 'This appears when the question is over.' : '');
    } catch ({message}) {
      this.showProblem(`Not sent: ${message}`);
      if (field.value === '') field.value = text;
    }
  }
}

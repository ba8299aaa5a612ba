// The panel about access: how long the token is valid, what it permits, and what has happened to it.

import {element} from '/collab/element.js';

const stepsMax = 6;

export class Access {
  token = null;
  #find;
  #renew;
  #validMs = 0;
  #endsAt = 0;
  #timer = 0;

  /** @param {() => Promise<void>} renew  gets the next token, and calls `show` */
  constructor(find, renew) {
    this.#find = find;
    this.#renew = renew;
    find('renew').addEventListener('click', () => this.#tryToRenew());
  }

  /** A token that the server has issued: `{token, name, permissions, validFor}`, in seconds. */
  show({token, name, permissions, validFor}, how) {
    this.token = token;
    this.#validMs = validFor * 1000;
    this.#endsAt = performance.now() + this.#validMs;
    this.#find('self').textContent = name;
    this.#find('permissions').replaceChildren(
      ...permissions.map((text) => element('li', {className: 'permission'}, text)),
    );
    this.#note(`${how}: valid for ${validFor} s`, 'good');
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), 200);
    this.#tick();
  }

  /** The server says that access ends soon. */
  expiring() {
    this.#note('The server announces the end');
    if (this.#find('automatic').checked) this.#tryToRenew();
  }

  /** The server has closed the connection. */
  ended(reason) {
    this.#note(`Closed by the server: ${reason || 'access has ended'}`, 'bad');
  }

  clear() {
    clearInterval(this.#timer);
    this.token = null;
    this.#find('steps').replaceChildren();
  }

  async #tryToRenew() {
    try {
      await this.#renew();
    } catch ({message}) {
      this.#note(`Not renewed: ${message}`, 'bad');
    }
  }

  #tick() {
    const left = Math.max(0, this.#endsAt - performance.now());
    const ring = this.#find('ring');
    ring.style.setProperty('--left', String(left / this.#validMs));
    ring.classList.toggle('ending', left < this.#validMs / 3);
    this.#find('seconds').textContent = String(Math.ceil(left / 1000));
  }

  #note(text, kind = '') {
    const steps = this.#find('steps');
    const time = new Date().toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', second: '2-digit'});
    steps.prepend(
      element('li', {className: 'step', dataset: {kind}}, element('time', {}, time), element('span', {}, text)),
    );
    while (steps.children.length > stepsMax) steps.lastChild.remove();
  }
}

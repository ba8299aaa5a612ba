// Pointers on the board: those of others glide between the positions received; the user's own is reported.

import {element} from './element.js';

const glideMs = 70; // time constant: the server relays positions about every 100 ms
const reportEveryMs = 100;
const idleAfterMs = 6_000;
const svgNamespace = 'http://www.w3.org/2000/svg';

/** Shows the pointers of the other members in `layer`, which covers the board. */
export class Cursors {
  #layer;
  #shown = new Map();
  #frame = 0;
  #lastTime = 0;
  #stillness = matchMedia('(prefers-reduced-motion: reduce)');

  constructor(layer) {
    this.#layer = layer;
    new ResizeObserver(() => this.#wake()).observe(layer);
  }

  /** @param {Map<string, {name: string, color: string, cursor: {x: number, y: number}|null}>} people */
  show(people) {
    for (const [id, cursor] of this.#shown) {
      if (!people.get(id)?.cursor) {
        cursor.node.remove();
        this.#shown.delete(id);
      }
    }
    for (const [id, person] of people) {
      if (person.cursor) this.#point(id, person);
    }
    this.#wake();
  }

  #point(id, {name, color, cursor}) {
    let shown = this.#shown.get(id);
    if (!shown) {
      shown = {node: makePointer(id), x: cursor.x, y: cursor.y};
      this.#shown.set(id, shown);
      this.#layer.append(shown.node);
    }
    shown.target = cursor;
    shown.node.dataset.color = color;
    shown.node.lastChild.textContent = name;
  }

  #wake() {
    if (!this.#frame) this.#frame = requestAnimationFrame(this.#step);
  }

  #step = (now) => {
    const elapsed = this.#lastTime ? now - this.#lastTime : 16;
    const share = this.#stillness.matches ? 1 : 1 - Math.exp(-elapsed / glideMs);
    const {clientWidth, clientHeight} = this.#layer;
    let moving = false;
    for (const cursor of this.#shown.values()) {
      const dx = cursor.target.x - cursor.x;
      const dy = cursor.target.y - cursor.y;
      const far = Math.abs(dx) + Math.abs(dy) > 0.0005;
      cursor.x = far ? cursor.x + dx * share : cursor.target.x;
      cursor.y = far ? cursor.y + dy * share : cursor.target.y;
      moving ||= far;
      cursor.node.style.transform = `translate(${cursor.x * clientWidth}px, ${cursor.y * clientHeight}px)`;
      cursor.node.classList.toggle('flipped', cursor.x > 0.85);
    }
    this.#lastTime = moving ? now : 0;
    this.#frame = moving ? requestAnimationFrame(this.#step) : 0;
  };
}

/**
 * Reports the user's pointer over `area` to `send({x, y} | null)`: the newest position, at most once per animation
 * frame and no faster than the server relays it; null when the pointer leaves or rests, or the page is hidden.
 */
export function reportCursor(area, send) {
  let position = null;
  let reported = null;
  let lastReport = -Infinity;
  let timer = 0;
  let idleTimer = 0;

  const report = () => {
    timer = 0;
    requestAnimationFrame((now) => {
      if (position === reported) return;
      reported = position;
      lastReport = now;
      send(position);
    });
  };
  const schedule = () => {
    if (!timer) timer = setTimeout(report, Math.max(0, lastReport + reportEveryMs - performance.now()));
  };
  const hide = () => {
    clearTimeout(idleTimer);
    position = null;
    schedule();
  };
  const move = (event) => {
    const box = area.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) return hide();
    position = {x: Number(x.toFixed(4)), y: Number(y.toFixed(4))};
    clearTimeout(idleTimer);
    idleTimer = setTimeout(hide, idleAfterMs);
    schedule();
  };

  area.addEventListener('pointermove', move);
  area.addEventListener('pointerdown', move);
  area.addEventListener('pointerleave', hide);
  area.addEventListener('pointercancel', hide);
  area.addEventListener('pointerup', (event) => {
    if (event.pointerType === 'touch') hide();
  });
  // Animation frames stop while the page is hidden, so this is sent at once.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'hidden' || reported === null) return;
    position = reported = null;
    send(null);
  });
}

function makePointer(id) {
  const svg = document.createElementNS(svgNamespace, 'svg');
  const path = document.createElementNS(svgNamespace, 'path');
  svg.setAttribute('viewBox', '0 0 20 22');
  path.setAttribute(
    'd',
    'M2 1.6 17.6 9.3a.9.9 0 0 1-.2 1.7l-6.5 1.5-3.6 6.1a.9.9 0 0 1-1.7-.3L.9 2.6A.9.9 0 0 1 2 1.6Z',
  );
  svg.append(path);
  return element('div', {className: 'cursor', dataset: {connectionId: id}}, svg, element('span'));
}

// Pseudo-random numbers that repeat with the same seed.

export class Random {
  #state = 0;

  constructor(seed) {
    for (const character of seed) this.#state = Math.imul(this.#state ^ character.charCodeAt(0), 0x9e3779b1);
  }

  /** In [0, 1) (mulberry32). */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number of [least, most]. */
  whole(least, most) {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability) {
    return this.next() < probability;
  }

  oneOf(list) {
    return list[this.whole(0, list.length - 1)];
  }
}

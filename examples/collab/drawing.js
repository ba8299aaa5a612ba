// The drawing as data, without screen or network: strokes that can be merged in any order, any number of times, with
// the same result everywhere.
//
// A stroke is `{id, at, color, width, tool, points, done}`. `points` is flat: x, y and pressure (0 to 100) of each
// point in turn, in board units. `at` is a Lamport clock: every screen orders strokes by it, then by id. A clear has
// such a time too and removes every stroke up to it. Messages carry parts of strokes, with `from`, the index of their
// first point.

import {penColors} from './palette.js';
import {randomId} from './random_id.js';

export const boardWidth = 4000;
export const boardHeight = 3000;
export const penWidths = [8, 20, 48];
export const pointsPerStroke = 1500;

const pointsInAll = 30_000;
const pointsPerPart = 400;
const partsBytes = 16_000;
const clockStep = 1_000_000;

export class Drawing {
  strokes = [];
  clearedAt = 0;
  #byId = new Map();
  #clock = 0;
  #points = 0;

  /** Starts over, for another room. */
  reset() {
    this.clearedAt = 0;
    this.#clock = 0;
    this.#keep(() => false);
  }

  /** Starts a stroke above all others. */
  begin({color, width, tool}) {
    const stroke = {id: randomId(), at: ++this.#clock, color, width, tool, points: [], done: false};
    this.#insert(stroke);
    return stroke;
  }

  /** Adds one point to a stroke that was started here. */
  append(stroke, x, y, pressure) {
    stroke.points.push(x, y, pressure);
    this.#points++;
    this.#dropOldest();
  }

  /** Clears the drawing and returns the time with which others clear the same strokes. */
  clear() {
    this.applyClear(this.#clock + 1);
    return this.clearedAt;
  }

  /** Removes all strokes up to the time `at`; returns whether that changed anything. */
  applyClear(at) {
    if (!this.#isTime(at) || at <= this.clearedAt) return false;
    this.clearedAt = at;
    this.#clock = Math.max(this.#clock, at);
    this.#keep((stroke) => stroke.at > at);
    return true;
  }

  /** Merges a part of a stroke. Returns the stroke, or null if the part is invalid or its stroke has been cleared. */
  merge(part) {
    if (!this.#isValid(part) || part.at <= this.clearedAt) return null;
    this.#clock = Math.max(this.#clock, part.at);
    let stroke = this.#byId.get(part.id);
    if (!stroke) {
      if (part.points.length === 0) return null;
      const {id, at, color, width, tool} = part;
      stroke = {id, at, color, width, tool, points: [], done: false};
      this.#insert(stroke);
    }
    const before = stroke.points.length;
    part.points.forEach((value, index) => (stroke.points[part.from * 3 + index] = value));
    stroke.done ||= part.done === true;
    this.#points += (stroke.points.length - before) / 3;
    this.#dropOldest();
    return stroke;
  }

  /** Everything, in lists of parts that each fit into one message; at least one list. */
  snapshot() {
    const lists = [[]];
    let bytes = 0;
    for (const stroke of this.strokes) {
      for (const part of partsOf(stroke)) {
        const size = JSON.stringify(part).length;
        if (bytes > 0 && bytes + size > partsBytes) {
          lists.push([]);
          bytes = 0;
        }
        lists[lists.length - 1].push(part);
        bytes += size;
      }
    }
    return lists;
  }

  #insert(stroke) {
    let index = this.strokes.length;
    while (index > 0 && isAbove(this.strokes[index - 1], stroke)) index--;
    this.strokes.splice(index, 0, stroke);
    this.#byId.set(stroke.id, stroke);
  }

  #keep(wanted) {
    this.strokes = this.strokes.filter(wanted);
    this.#byId = new Map(this.strokes.map((stroke) => [stroke.id, stroke]));
    this.#points = this.strokes.reduce((sum, {points}) => sum + points.length / 3, 0);
  }

  /**
   * Keeps the drawing bounded: removes the oldest strokes and counts them as cleared, so that no late part restores
   * them.
   */
  #dropOldest() {
    while (this.#points > pointsInAll && this.strokes.length > 1) {
      this.clearedAt = this.strokes[0].at;
      this.#keep(({at}) => at > this.clearedAt);
    }
  }

  #isTime(at) {
    return Number.isSafeInteger(at) && at > 0 && at <= this.#clock + clockStep;
  }

  #isValid(part) {
    if (part === null || typeof part !== 'object' || !Array.isArray(part.points)) return false;
    const {id, at, color, width, tool, from, points} = part;
    return (
      typeof id === 'string' &&
      id.length > 0 &&
      id.length <= 64 &&
      this.#isTime(at) &&
      penColors.includes(color) &&
      width > 0 &&
      width <= 400 &&
      (tool === 'pen' || tool === 'eraser') &&
      Number.isSafeInteger(from) &&
      from >= 0 &&
      points.length % 3 === 0 &&
      from + points.length / 3 <= pointsPerStroke &&
      points.every((value) => Number.isInteger(value) && value >= 0 && value <= boardWidth)
    );
  }
}

/** The part of `stroke` from the point `from` up to but not including the point `before`. */
export function partOf({id, at, color, width, tool, points, done}, from, to = points.length / 3) {
  const isLast = to * 3 >= points.length;
  return {id, at, color, width, tool, from, points: points.slice(from * 3, to * 3), ...(done && isLast && {done})};
}

/** A whole stroke in parts of bounded size, without the points that have not arrived yet. */
export function* partsOf(stroke) {
  const count = stroke.points.length / 3;
  let from = 0;
  while (from < count) {
    let to = from;
    while (to < count && to - from < pointsPerPart && stroke.points[to * 3] !== undefined) to++;
    if (to > from) yield partOf(stroke, from, to);
    from = Math.max(to, from + 1);
  }
}

function isAbove(a, b) {
  return a.at > b.at || (a.at === b.at && a.id > b.id);
}

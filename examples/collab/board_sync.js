// Keeps the drawings of all members identical, using events alone: the server relays them and stores none.
//
//   board:stroke    {parts: [Part…]}                               new points of strokes, several times a second
//   board:clear     {at}                                           removes everything up to the time `at`
//   board:request   {from}                                         a newcomer asks the member `from` for the drawing
//   board:snapshot  {to: [id…], part, parts, clearedAt, strokes}   the reply, in messages of bounded size
//
// A newcomer asks the member with the smallest connection id among those who joined before it, and the next one if no
// reply comes. A member that is still waiting for its own snapshot replies once it has it. Parts of strokes may arrive
// in any order and more than once (see drawing.js), so strokes drawn meanwhile need no special care.

import {partOf, partsOf} from './drawing.js';

const sendEveryMs = 50;
const answerAfterMs = 60;
const answerPaceMs = 20;
const patienceMs = 1_500;
const membersAsked = 5;
const lossWindowMs = 10_000;

export class BoardSync {
  #room = null;
  #drawing;
  #board;
  #ownId = null;
  #askable = [];
  #patience = 0;
  #askers = new Set();
  #answerTimer = 0;
  #own = new Map();
  #sendTimer = 0;
  #lastHere = 0;

  constructor(drawing, board) {
    this.#drawing = drawing;
    this.#board = board;
  }

  /** We joined a room of flux.js; `isReturn` if it is the same room after a lost connection. */
  joined(room, isReturn) {
    this.#room = room;
    this.#ownId = room.connectionId;
    this.#askers.clear();
    const others = [...room.members.keys()].filter((id) => id !== this.#ownId);
    this.#askable = others.sort().slice(0, membersAsked);
    this.#ask();
    if (isReturn) this.#sendAgain();
  }

  lost() {
    this.#room = this.#ownId = null;
    this.#lastHere = Date.now();
    clearTimeout(this.#patience);
  }

  /** The room changed: nothing drawn so far belongs to the new one. */
  forget() {
    this.lost();
    this.#own.clear();
  }

  /** A stroke drawn here has changed. */
  drawn(stroke) {
    const state = this.#own.get(stroke) ?? {sent: 0};
    this.#own.set(stroke, Object.assign(state, {isDirty: true, changedAt: Date.now()}));
    if (!this.#sendTimer) this.#sendTimer = setTimeout(() => this.#flush(), sendEveryMs);
  }

  clear() {
    const at = this.#drawing.clear();
    this.#send('board:clear', {at});
    this.#cleared();
  }

  receive({connectionId, event, payload}) {
    if (payload === null || typeof payload !== 'object') return;
    if (event === 'board:stroke') this.#mergeAll(payload.parts);
    else if (event === 'board:clear') this.#applyClear(payload.at);
    else if (event === 'board:request') this.#requested(connectionId, payload);
    else if (event === 'board:snapshot') this.#takeSnapshot(payload);
  }

  /** What is lost with the connection is sent again by `joined`, and a snapshot is asked for again. */
  #send(event, payload) {
    this.#room?.send(event, payload).catch(() => {});
  }

  #mergeAll(parts) {
    if (!Array.isArray(parts)) return;
    for (const part of parts) {
      const stroke = this.#drawing.merge(part);
      if (stroke) this.#board.paint(stroke);
    }
  }

  #applyClear(at) {
    if (this.#drawing.applyClear(at)) this.#cleared();
  }

  #cleared() {
    const left = new Set(this.#drawing.strokes);
    for (const stroke of this.#own.keys()) if (!left.has(stroke)) this.#own.delete(stroke);
    this.#board.abandon();
    this.#board.repaint();
  }

  #flush() {
    this.#sendTimer = 0;
    if (this.#ownId === null) return; // kept until `joined` sends it
    const old = Date.now() - lossWindowMs;
    const parts = [];
    for (const [stroke, state] of this.#own) {
      if (state.isDirty) parts.push(this.#takePart(stroke, state));
      else if (stroke.done && state.changedAt < old) this.#own.delete(stroke);
    }
    if (parts.length > 0) this.#send('board:stroke', {parts});
  }

  #takePart(stroke, state) {
    const part = partOf(stroke, state.sent);
    state.sent = stroke.points.length / 3;
    state.isDirty = false;
    return part;
  }

  /** Sends what was drawn since the connection was lost, and shortly before, because that may not have arrived. */
  #sendAgain() {
    const since = this.#lastHere - lossWindowMs;
    for (const [stroke, state] of this.#own) {
      if (state.changedAt < since) continue;
      for (const part of partsOf(stroke)) this.#send('board:stroke', {parts: [part]});
      state.sent = stroke.points.length / 3;
      state.isDirty = false;
    }
  }

  #ask() {
    clearTimeout(this.#patience);
    const from = this.#askable[0];
    if (from === undefined) return;
    this.#send('board:request', {from});
    this.#waitForAnswer();
  }

  #waitForAnswer() {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      this.#askable.shift();
      if (this.#askable.length > 0) this.#ask();
      else this.#answerSoon();
    }, patienceMs);
  }

  #requested(connectionId, {from}) {
    if (from !== this.#ownId || typeof connectionId !== 'string') return;
    this.#askers.add(connectionId);
    this.#answerSoon();
  }

  /** Requests that arrive within a moment of each other get one reply. */
  #answerSoon() {
    if (this.#askers.size === 0 || this.#askable.length > 0 || this.#answerTimer) return;
    this.#answerTimer = setTimeout(() => this.#answer(), answerAfterMs);
  }

  async #answer() {
    this.#answerTimer = 0;
    const ownId = this.#ownId;
    const to = [...this.#askers];
    this.#askers.clear();
    const lists = this.#drawing.snapshot();
    const {clearedAt} = this.#drawing;
    for (const [part, strokes] of lists.entries()) {
      if (this.#ownId !== ownId) return;
      this.#send('board:snapshot', {to, part, parts: lists.length, clearedAt, strokes});
      await new Promise((resolve) => setTimeout(resolve, answerPaceMs));
    }
  }

  #takeSnapshot({to, part, parts, clearedAt, strokes}) {
    if (!Array.isArray(to) || !to.includes(this.#ownId)) return;
    this.#applyClear(clearedAt);
    this.#mergeAll(strokes);
    if (part + 1 < parts) {
      this.#waitForAnswer();
      return;
    }
    clearTimeout(this.#patience);
    this.#askable = [];
    this.#answerSoon();
  }
}

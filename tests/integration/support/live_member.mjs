// A member of a room without a browser: speaks the `live` protocol over the `ws` package.

import assert from 'node:assert/strict';

import {load} from './packages.mjs';
import {until, within} from './wait.mjs';

const answerBoundMs = 30_000;

export class LiveMember {
  #socket;
  #nextId = 1;
  #waiting = new Map();
  #unread = [];
  /** Every frame received, in order. */
  frames = [];
  /** The payload of the newest `room_joined` that `enter` waited for. */
  welcome;
  /** Resolves with `{code, reason}` when the connection is closed. */
  closed;

  /** Connects to the server at `url`. `options` are those of `ws`. */
  static async open(url, options = {}) {
    const {WebSocket} = load('ws');
    const member = new LiveMember();
    const socket = new WebSocket(new URL('live', url.replace('http', 'ws')), {perMessageDeflate: false, ...options});
    member.#socket = socket;
    socket.on('message', (data) => member.#receive(JSON.parse(data)));
    member.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({code, reason: String(reason)}));
    });
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {}); // `closed` reports it
    return member;
  }

  /** Connects to the server at `url` and joins `roomId`. */
  static async join(url, roomId, presence, options) {
    const member = await LiveMember.open(url, options);
    await member.enter(roomId, presence);
    return member;
  }

  /** The connection's id, after `enter`. */
  get id() {
    return this.welcome.connectionId;
  }

  /** The `ws` socket, for use outside the protocol. */
  get socket() {
    return this.#socket;
  }

  /** Joins a room and takes its `room_joined`. */
  async enter(roomId, presence, more = {}) {
    await this.request('join_room', {roomId, presence, ...more});
    const at = this.#unread.findIndex((frame) => frame.type === 'room_joined');
    this.welcome = this.#unread.splice(at, 1)[0].payload;
    return this.welcome;
  }

  /** Sends a message with an id; resolves with the payload of its ack, rejects with the error, its `code` included. */
  request(type, payload) {
    const id = this.#nextId++;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.set(id, (frame) => {
        if (frame.type === 'ack') return resolve(frame.payload);
        const error = new Error(`${type}: ${JSON.stringify(frame.payload)}`);
        reject(Object.assign(error, {code: frame.payload.code}));
      });
    });
    this.send({type, payload, id});
    const ended = this.closed.then(({code}) => {
      throw new Error(`${type}: the connection ended with ${code} and no answer`);
    });
    return within(Promise.race([answer, ended]), `the answer to ${type}`, answerBoundMs);
  }

  /** Sends a string unchanged, or an object as JSON. */
  send(message) {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Takes the next frame that does not answer a `request`; it must be of this type. Resolves with the whole frame. */
  async next(type) {
    await until(() => this.#unread.length > 0, `a frame of type ${type}`, answerBoundMs);
    const frame = this.#unread.shift();
    assert.equal(frame.type, type, `the next frame is ${JSON.stringify(frame)}`);
    return frame;
  }

  /** Fails if any frame has arrived so far that was not taken. */
  async expectNothing() {
    // Everything sent before the answer has arrived by then.
    await this.request('leave_room', {roomId: 'a room that it is not in'});
    assert.deepEqual(this.#unread, []);
  }

  /** Takes all frames that were not taken. */
  takeAll() {
    return this.#unread.splice(0);
  }

  /** Stops reading, so that the server's output queues up. */
  pause() {
    this.#socket._socket.pause();
  }

  resume() {
    this.#socket._socket.resume();
  }

  /** Closes with a reset instead of a closing handshake. */
  vanish() {
    this.#socket._socket.resetAndDestroy();
  }

  close() {
    this.#socket.close();
    return this.closed;
  }

  #receive(frame) {
    this.frames.push(frame);
    const answer = frame.id === undefined ? undefined : this.#waiting.get(frame.id);
    if (!answer) return this.#unread.push(frame);
    this.#waiting.delete(frame.id);
    answer(frame);
  }
}

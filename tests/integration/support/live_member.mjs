// A member of a room without a browser: speaks the `live` protocol over the `ws` package.

import {load} from './packages.mjs';

const answerBoundMs = 5_000;

export class LiveMember {
  #socket;
  #nextId = 1;
  #waiting = new Map();
  frames = [];

  /** Connects to the server at `url` and joins `roomId`. */
  static async join(url, roomId, presence) {
    const {WebSocket} = load('ws');
    const member = new LiveMember();
    member.#socket = new WebSocket(new URL('live', url.replace('http', 'ws')));
    await new Promise((resolve, reject) => {
      member.#socket.once('open', resolve);
      member.#socket.once('error', reject);
    });
    member.#socket.on('message', (data) => member.#receive(JSON.parse(data)));
    await member.request('join_room', {roomId, presence});
    return member;
  }

  /** Sends a message with an id; resolves with the payload of its ack, rejects with the error. */
  request(type, payload) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${type}: no answer`)), answerBoundMs);
      this.#waiting.set(id, (frame) => {
        clearTimeout(timer);
        if (frame.type === 'ack') resolve(frame.payload);
        else reject(new Error(`${type}: ${JSON.stringify(frame.payload)}`));
      });
      this.#socket.send(JSON.stringify({type, payload, id}));
    });
  }

  close() {
    this.#socket.close();
  }

  #receive(frame) {
    this.frames.push(frame);
    const answer = frame.id === undefined ? undefined : this.#waiting.get(frame.id);
    this.#waiting.delete(frame.id);
    answer?.(frame);
  }
}

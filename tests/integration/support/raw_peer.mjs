// A client that sends whatever bytes a test needs: HTTP and WebSocket without a library that would prevent errors.

import {randomBytes} from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import {constants, inflateRawSync} from 'node:zlib';

import {until} from './wait.mjs';

export const opcode = {continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10};

/**
 * One WebSocket frame.
 * @param {{fin?: boolean, rsv?: number, masked?: boolean, length?: bigint, lengthBytes?: 0 | 2 | 8}} options  `rsv`:
 *     the three reserved bits; `length`: the length in the header, instead of the real one
 */
export function frame(kind, payload = '', options = {}) {
  const {fin = true, rsv = 0, masked = true} = options;
  const body = Buffer.from(payload);
  const length = options.length ?? BigInt(body.length);
  const lengthBytes = options.lengthBytes ?? (length < 126n ? 0 : length < 65536n ? 2 : 8);
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | kind;
  head[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(Number(length), 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(length, 2);
  if (!masked) return Buffer.concat([head, body]);
  const key = randomBytes(4);
  return Buffer.concat([head, key, body.map((byte, i) => byte ^ key[i % 4])]);
}

export class RawPeer {
  #socket;
  #bytes = Buffer.alloc(0);
  #ended = false;
  /** When the server closed the connection, in milliseconds after it was opened; undefined until then. */
  endedAfterMs;

  /**
   * @param {{tls?: object, allowHalfOpen?: boolean}} options  `tls`: options of `tls.connect`, for an encrypted
   *     connection; `allowHalfOpen`: does not answer the server's end with its own
   */
  static async connect(port, options = {}) {
    const peer = new RawPeer();
    const begin = performance.now();
    const to = {port, host: '127.0.0.1', noDelay: true, allowHalfOpen: options.allowHalfOpen};
    peer.#socket = options.tls ? tls.connect({...to, ...options.tls}) : net.connect(to);
    const ended = () => {
      peer.#ended = true;
      peer.endedAfterMs ??= performance.now() - begin;
    };
    peer.#socket.on('data', (data) => (peer.#bytes = Buffer.concat([peer.#bytes, data])));
    peer.#socket.on('end', ended);
    peer.#socket.on('close', ended);
    await new Promise((resolve, reject) => {
      peer.#socket.once(options.tls ? 'secureConnect' : 'connect', resolve);
      peer.#socket.once('error', reject);
    });
    peer.#socket.on('error', () => {}); // a reset closes it, too
    return peer;
  }

  /** A connection that has been upgraded to a WebSocket. */
  static async upgrade(port, path = '/live', fields = {}) {
    const peer = await RawPeer.connect(port);
    peer.write(upgradeRequest(path, fields));
    const answer = await peer.response();
    if (answer.status !== 101) throw new Error(`upgrade refused: ${answer.status} ${answer.body}`);
    return peer;
  }

  write(bytes) {
    return this.#socket.write(bytes);
  }

  /** Sends our FIN; continues reading. */
  end() {
    this.#socket.end();
  }

  /** Reads nothing more. */
  pause() {
    this.#socket.pause();
  }

  destroy() {
    this.#socket.destroy();
  }

  reset() {
    this.#socket.resetAndDestroy();
  }

  /** Input that has arrived and was not taken. */
  get unread() {
    return this.#bytes;
  }

  get isOpen() {
    return !this.#ended;
  }

  ended(boundMs = 10_000) {
    return until(
      () => this.#ended,
      () => `the end of the connection, after "${this.#bytes.toString('latin1')}"`,
      boundMs,
    );
  }

  /** The next HTTP response. `withoutBody`: it answers HEAD. */
  async response({withoutBody = false, boundMs = 10_000} = {}) {
    const all = () => this.#bytes.toString('latin1');
    const what = () => `an HTTP answer, after "${all()}"`;
    const look = () => all().includes('\r\n\r\n') || this.#ended;
    await until(look, what, boundMs);
    const headEnd = all().indexOf('\r\n\r\n');
    if (headEnd < 0) throw new Error(`${what()}: the connection ended`);
    const [line, ...lines] = all().slice(0, headEnd).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((field) => [
        field.slice(0, field.indexOf(':')).toLowerCase(),
        field.slice(field.indexOf(':') + 1).trim(),
      ]),
    );
    const status = Number(line.split(' ')[1]);
    const bodyless = withoutBody || status < 200 || status === 204 || status === 304;
    const size = bodyless ? 0 : Number(headers['content-length'] ?? 0);
    const end = headEnd + 4 + size;
    await until(() => this.#bytes.length >= end || this.#ended, what, boundMs);
    const body = this.#bytes.subarray(headEnd + 4, end);
    this.#bytes = this.#bytes.subarray(end);
    return {line, status, headers, body};
  }

  /** Sends a request and reads its response. */
  request(text, options) {
    this.write(text);
    return this.response(options);
  }

  /** The next WebSocket frame from the server; undefined if the connection was closed. */
  async frame(boundMs = 10_000) {
    const size = () => {
      const bytes = this.#bytes;
      if (bytes.length < 2) return undefined;
      const short = bytes[1] & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length < head) return undefined;
      const payload = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
      return bytes.length < head + payload ? undefined : {head, end: head + payload};
    };
    await until(() => size() || this.#ended, 'a WebSocket frame', boundMs);
    const found = size();
    if (!found) return undefined;
    const [first] = this.#bytes;
    const payload = this.#bytes.subarray(found.head, found.end);
    this.#bytes = this.#bytes.subarray(found.end);
    return {fin: first >= 0x80, rsv: (first >> 4) & 7, opcode: first & 15, payload};
  }

  /** The next data frame as a JSON value. */
  async json() {
    const {rsv, payload} = await this.frame();
    return JSON.parse(rsv === 4 ? inflated(payload) : payload);
  }

  /** Sends a message of protocol live. */
  send(message) {
    this.write(frame(opcode.text, JSON.stringify(message)));
  }

  /** Joins a room; resolves with the payload of `room_joined`. */
  async join(roomId) {
    this.send({type: 'join_room', payload: {roomId}});
    return (await this.json()).payload;
  }

  /** Reads up to the server's close frame, and the end of the connection after it. Resolves with `{code, reason}`. */
  async closing(boundMs) {
    for (;;) {
      const next = await this.frame(boundMs);
      if (!next) throw new Error('the connection ended without a close frame');
      if (next.opcode !== opcode.close) continue;
      this.end();
      await this.ended(boundMs);
      return {code: next.payload.readUInt16BE(0), reason: next.payload.subarray(2).toString()};
    }
  }
}

/** The message of a compressed frame (RFC 7692, 7.2.2). */
export function inflated(payload) {
  const whole = Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]);
  return inflateRawSync(whole, {finishFlush: constants.Z_SYNC_FLUSH});
}

export function upgradeRequest(path = '/live', fields = {}) {
  const all = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...fields,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined);
  return `GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

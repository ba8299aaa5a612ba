// Requests about files, over node:http, so that tests may send what fetch would refuse.

import {createHash, randomBytes} from 'node:crypto';
import http from 'node:http';

/**
 * One request, on a new connection unless an agent is given. Resolves with `{status, headers, body}`; a Location in the
 * headers is the path that a client resolves it to.
 */
export function ask(port, method, path, {headers = {}, body, agent} = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({port, host: '127.0.0.1', method, path, headers, agent: agent ?? false}, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        const answered = {status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces)};
        const {location} = answer.headers;
        if (location) answered.headers.location = new URL(location, `http://127.0.0.1${path}`).pathname;
        resolve(answered);
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

const tusFields = {'Tus-Resumable': '1.0.0'};
const chunkType = {'Content-Type': 'application/offset+octet-stream'};

/** A request of tus. */
export const tus = (port, method, path, headers = {}, body) =>
  ask(port, method, path, {headers: {...tusFields, ...headers}, body});

export const patch = (port, path, offset, body, headers = {}) =>
  tus(port, 'PATCH', path, {...chunkType, 'Upload-Offset': offset, ...headers}, body);

/** Creates an upload; resolves with its path. */
export async function begin(port, length, headers = {}) {
  const made = await tus(port, 'POST', '/files', {'Upload-Length': length, ...headers});
  if (made.status !== 201) throw new Error(`${made.status} ${made.body}`);
  return made.headers.location;
}

/** The offset of an upload; undefined if it does not exist. */
export async function offsetOf(port, path, headers = {}) {
  const head = await tus(port, 'HEAD', path, headers);
  if (head.status !== 200) return undefined;
  return Number(head.headers['upload-offset']);
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
export const checksum = (algorithm, bytes) => `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`;
export const metadata = (entries) =>
  Object.entries(entries)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');
export {randomBytes};

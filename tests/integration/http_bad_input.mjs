// Bad HTTP on the server's port: a status that says what was wrong, no request smuggled, nobody else affected. Run with
// plain `node`.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';

import {Bystanders} from './support/bystanders.mjs';
import {RawPeer} from './support/raw_peer.mjs';
import {startServer} from './support/server_program.mjs';

const host = 'Host: localhost\r\n';
const get = (path) => `GET ${path} HTTP/1.1\r\n${host}\r\n`;
let server;
let folder;
let bystanders;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-http-'));
  writeFileSync(join(folder, 'secret.txt'), 'SMUGGLED');
  writeFileSync(join(folder, 'page.html'), '<p>page');
  server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--static', folder, '--presence-interval', '0']);
  bystanders = await Bystanders.gather(server.url);
});
after(async () => {
  await bystanders.close();
  await server.stop();
  rmSync(folder, {recursive: true});
});

/** Sends `bytes` followed by a request for a file. The first gets `status`, and the second is not answered. */
async function ends(bytes, status) {
  const peer = await RawPeer.connect(server.port);
  const answer = await peer.request(Buffer.concat([Buffer.from(bytes, 'latin1'), Buffer.from(get('/secret.txt'))]));
  const shown = JSON.stringify(String(bytes).slice(0, 120));
  assert.equal(answer.status, status, `${shown}: ${answer.body}`);
  assert.ok(answer.body.length > 0, `${shown}: no reason`);
  await peer.ended();
  assert.equal(peer.unread.toString(), '', `${shown}: something else was answered`);
  assert.equal(answer.headers.connection, 'close');
  await bystanders.unharmed();
}

/** A separate test for each. */
function refuses(status, attempts) {
  for (const [name, bytes] of Object.entries(attempts))
    test(`${name}: ${status}, and the connection ends`, () => ends(bytes, status));
}

describe('smuggled requests', () => {
  const inner = 'GET /secret.txt HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const post = (fields, body = '') => `POST /page.html HTTP/1.1\r\n${host}${fields}\r\n${body}`;
  const chunked = (body) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  refuses(400, {
    'CL.TE': post(`Content-Length: ${5 + inner.length}\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${inner}`),
    'TE.CL': post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', chunked(inner)),
    'two Content-Lengths that differ': post(`Content-Length: 0\r\nContent-Length: ${inner.length}\r\n`, inner),
    'two Content-Lengths that agree': post('Content-Length: 0\r\nContent-Length: 0\r\n'),
    'Content-Length as a list': post('Content-Length: 0, 0\r\n'),
    'Content-Length with a sign': post(`Content-Length: +${inner.length}\r\n`, inner),
    'Content-Length in hex': post('Content-Length: 0x10\r\n', inner),
    'Content-Length with a space inside': post('Content-Length: 1 0\r\n', inner),
    'an empty Content-Length': post('Content-Length:\r\n', inner),
    'a negative Content-Length': post('Content-Length: -1\r\n', inner),
    'TE.TE with an unknown one last': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n', chunked(inner)),
    'TE.TE twice chunked': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', chunked(inner)),
    'chunked, chunked': post('Transfer-Encoding: chunked, chunked\r\n', chunked(inner)),
    'chunked that is not last': post('Transfer-Encoding: chunked, gzip\r\n', chunked(inner)),
    xchunked: post('Transfer-Encoding: xchunked\r\n', chunked(inner)),
    'chunked in quotes': post('Transfer-Encoding: "chunked"\r\n', chunked(inner)),
    'chunked after a vertical tab': post('Transfer-Encoding: \x0bchunked\r\n', chunked(inner)),
    'chunked after a folded line': post('Transfer-Encoding:\r\n chunked\r\n', chunked(inner)),
    'Transfer-Encoding with a space before the colon': post('Transfer-Encoding : chunked\r\n', chunked(inner)),
    'Transfer-Encoding after a space': post(' Transfer-Encoding: chunked\r\n', chunked(inner)),
    'Transfer-Encoding after a tab': post('X: y\r\n\tTransfer-Encoding: chunked\r\n', chunked(inner)),
    'Transfer-Encoding in the value before, by a bare CR': post('X: y\rTransfer-Encoding: chunked\r\n', chunked(inner)),
    'Transfer-Encoding in the value before, by a bare LF': post('X: y\nTransfer-Encoding: chunked\r\n', chunked(inner)),
    'Transfer-Encoding with NUL': post('Transfer-Encoding: chunked\x00\r\n', chunked(inner)),
    'Transfer-Encoding in HTTP/1.0': post('Transfer-Encoding: chunked\r\n', chunked(inner)).replace('/1.1', '/1.0'),
    'lines that end with a bare LF': `GET /page.html HTTP/1.1\n${host.trim()}\n\n`,
    'two hosts': `GET /page.html HTTP/1.1\r\n${host}Host: other\r\n\r\n`,
    'no host': 'GET /page.html HTTP/1.1\r\n\r\n',
    'a host with a path': 'GET /page.html HTTP/1.1\r\nHost: a/b\r\n\r\n',
  });
  refuses(501, {'an unsupported transfer coding': post('Transfer-Encoding: gzip, chunked\r\n', chunked('x'))});

  const badChunks = {
    'a chunk size that is not a number': 'x\r\n',
    'a chunk size with 0x': '0x5\r\nhello\r\n0\r\n\r\n',
    'a chunk size with a sign': '+5\r\nhello\r\n0\r\n\r\n',
    'a chunk size past 2^64': '10000000000000000000\r\n',
    'a chunk that is longer than its size': '3\r\nhello\r\n0\r\n\r\n',
    'a chunk size after a space': ' 5\r\nhello\r\n0\r\n\r\n',
    'a chunk size that ends with a bare LF': '5\nhello\r\n0\r\n\r\n',
    'a chunk extension with a bare CR': '5;a\rb\r\nhello\r\n0\r\n\r\n',
  };
  for (const [name, body] of Object.entries(badChunks)) {
    test(`${name}: the connection ends without a second response`, async () => {
      const peer = await RawPeer.connect(server.port);
      peer.write(post('Transfer-Encoding: chunked\r\n', body) + inner);
      await peer.ended();
      assert.equal((await peer.response()).status, 405); // the response to the head, sent before its body arrived
      assert.ok(!peer.unread.includes('SMUGGLED'));
      await bystanders.unharmed();
    });
  }

  test('a body of the correct length is never read as a request', async () => {
    for (const body of [
      post(`Content-Length: ${inner.length}\r\n`, inner),
      post('Transfer-Encoding: chunked\r\n', chunked(inner)),
    ]) {
      const peer = await RawPeer.connect(server.port);
      peer.write(body + get('/page.html'));
      assert.equal((await peer.response()).status, 405);
      const second = await peer.response();
      assert.equal(second.body.toString(), '<p>page');
      assert.equal(peer.unread.length, 0);
      peer.destroy();
    }
  });
});

describe('request lines', () => {
  refuses(400, {
    'no target': 'GET\r\n\r\n',
    'two spaces': `GET  / HTTP/1.1\r\n${host}\r\n`,
    'a tab instead of a space': `GET\t/ HTTP/1.1\r\n${host}\r\n`,
    'a method that is not a token': `G@T( / HTTP/1.1\r\n${host}\r\n`,
    'a target that is not a path': `GET page.html HTTP/1.1\r\n${host}\r\n`,
    'a target with a raw control character': `GET /\x01 HTTP/1.1\r\n${host}\r\n`,
    'a target with NUL': `GET /page.html\x00.txt HTTP/1.1\r\n${host}\r\n`,
    'a target with an escaped NUL': `GET /page.html%00 HTTP/1.1\r\n${host}\r\n`,
    'a target with an escaped slash': `GET /..%2fsecret HTTP/1.1\r\n${host}\r\n`,
    'a target with half an escape': `GET /%2 HTTP/1.1\r\n${host}\r\n`,
    'an invalid version': `GET / HTTPS/1.1\r\n${host}\r\n`,
    'the beginning of TLS': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'binary nonsense': '\x00\x01\x02\xff\xfe\r\n\r\n',
    'empty lines and nothing else': '\r\n\r\n\r\n',
    'a field without a colon': `GET / HTTP/1.1\r\n${host}nonsense\r\n\r\n`,
    'a field without a name': `GET / HTTP/1.1\r\n${host}: x\r\n\r\n`,
  });
  refuses(505, {
    'HTTP/0.9': 'GET /\r\n\r\n',
    'HTTP/2': `GET / HTTP/2.0\r\n${host}\r\n`,
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  });
  refuses(414, {'a request line that is too long': `GET /${'x'.repeat(8_200)} HTTP/1.1\r\n${host}\r\n`});
  refuses(431, {
    'a field that is too long': `GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(8_200)}\r\n\r\n`,
    'too many fields': `GET / HTTP/1.1\r\n${host}${'X: y\r\n'.repeat(101)}\r\n`,
    'a head that is too long': `GET / HTTP/1.1\r\n${host}${`X: ${'x'.repeat(8_000)}\r\n`.repeat(5)}\r\n`,
    'a field that never ends': `GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(200_000)}`,
  });
  refuses(501, {CONNECT: `CONNECT localhost:80 HTTP/1.1\r\n${host}\r\n`});
});

describe('unknown paths and methods', () => {
  test('get a response, and the connection continues', async () => {
    const peer = await RawPeer.connect(server.port);
    const ask = (method, path) => peer.request(`${method} ${path} HTTP/1.1\r\n${host}\r\n`);
    assert.equal((await ask('GET', '/nowhere')).status, 404);
    assert.equal((await ask('GET', '/nowhere/at/all')).status, 404);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'BREW', 'get']) {
      const answer = await ask(method, '/page.html');
      assert.equal(answer.status, 405, method);
      assert.match(answer.headers.allow, /\bGET\b/);
    }
    const options = await ask('OPTIONS', '/page.html');
    assert.equal(options.status, 204);
    assert.match(options.headers.allow, /GET, HEAD/);
    assert.equal((await ask('OPTIONS', '*')).status, 204);
    assert.equal((await ask('GET', '/page.html')).body.toString(), '<p>page');
    assert.equal((await ask('POST', '/live')).status, 405);
    peer.destroy();
    await bystanders.unharmed();
  });

  test('the WebSocket path without an upgrade: 426', async () => {
    const bare = await startServer(process.env.FLUX_SERVER, ['--port', '0']);
    const peer = await RawPeer.connect(bare.port);
    const answer = await peer.request(get('/live'));
    assert.equal(answer.status, 426);
    assert.equal(answer.headers.upgrade, 'websocket');
    assert.equal((await peer.request(get('/'))).status, 404);
    peer.destroy();
    await bare.stop();
  });
});

describe('bodies', () => {
  test('a body that is declared too long is refused without being read', async () => {
    const peer = await RawPeer.connect(server.port);
    peer.write(`POST /page.html HTTP/1.1\r\n${host}Content-Length: 99999999999\r\n\r\n`);
    const answer = await peer.response();
    assert.ok([405, 413].includes(answer.status));
    assert.equal(answer.headers.connection, 'close');
    await peer.ended();
  });

  test('a Content-Length past 2^64: 413', () =>
    ends(`POST /page.html HTTP/1.1\r\n${host}Content-Length: 99999999999999999999999\r\n\r\n`, 413));

  test('a body that is not sent to its end is not a request', async () => {
    const peer = await RawPeer.connect(server.port);
    peer.write(`POST /page.html HTTP/1.1\r\n${host}Content-Length: 100\r\n\r\n${get('/secret.txt')}`);
    await peer.response();
    peer.end();
    await peer.ended();
    assert.ok(!peer.unread.includes('SMUGGLED'));
    await bystanders.unharmed();
  });
});

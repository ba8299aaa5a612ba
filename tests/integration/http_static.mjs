// The static folder, and HTTP's rules for connections, over raw sockets. Run with plain `node`.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';

import {LiveMember} from './support/live_member.mjs';
import {frame, opcode, RawPeer, upgradeRequest} from './support/raw_peer.mjs';
import {startServer} from './support/server_program.mjs';

const types = {
  'index.html': 'text/html; charset=utf-8',
  'style.css': 'text/css; charset=utf-8',
  'main.js': 'text/javascript; charset=utf-8',
  'module.mjs': 'text/javascript; charset=utf-8',
  'data.json': 'application/json',
  'note.txt': 'text/plain; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'photo.png': 'image/png',
  'photo.JPG': 'image/jpeg',
  'font.woff2': 'font/woff2',
  'code.wasm': 'application/wasm',
  'unknown.xyz': 'application/octet-stream',
  no_extension: 'application/octet-stream',
};
const digits = '0123456789'.repeat(10);
const large = Buffer.alloc(3_000_000, 'flux');

let root;
let server;
let peer;

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'flux-static-'));
  const site = join(root, 'site');
  mkdirSync(join(site, 'folder', '.hidden'), {recursive: true});
  mkdirSync(join(site, 'empty'));
  mkdirSync(join(root, 'site-beside'));
  for (const name of Object.keys(types)) writeFileSync(join(site, name), `content of ${name}`);
  writeFileSync(join(site, 'digits.txt'), digits);
  writeFileSync(join(site, 'large.bin'), large);
  writeFileSync(join(site, 'nothing.txt'), '');
  writeFileSync(join(site, 'mit Ümlaut.txt'), 'umlaut');
  writeFileSync(join(site, 'folder', 'index.html'), 'folder');
  writeFileSync(join(site, 'folder', '.hidden', 'file.txt'), 'SECRET');
  writeFileSync(join(site, '.env'), 'SECRET');
  writeFileSync(join(root, 'outside.txt'), 'SECRET');
  writeFileSync(join(root, 'site-beside', 'file.txt'), 'SECRET');
  symlinkSync(join(root, 'outside.txt'), join(site, 'link.txt'));
  symlinkSync(root, join(site, 'up'));
  symlinkSync(join(site, 'digits.txt'), join(site, 'inner-link.txt'));
  server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--static', site]);
  peer = await RawPeer.connect(server.port);
});
after(async () => {
  peer.destroy();
  await server.stop();
  rmSync(root, {recursive: true});
});

function ask(path, fields = {}, method = 'GET') {
  const lines = Object.entries({Host: 'localhost', ...fields}).map(([name, value]) => `${name}: ${value}\r\n`);
  return peer.request(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, {withoutBody: method === 'HEAD'});
}

describe('files', () => {
  test('each has its own type, length and content', async () => {
    for (const [name, type] of Object.entries(types)) {
      const answer = await ask(`/${name}`);
      assert.equal(answer.status, 200, name);
      assert.equal(answer.headers['content-type'], type, name);
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.equal(answer.body.toString(), `content of ${name}`);
      assert.ok(answer.headers.date && answer.headers['last-modified'] && answer.headers.etag);
    }
    assert.equal((await ask('/nothing.txt')).headers['content-length'], '0');
    assert.equal((await ask('/mit%20%C3%9Cmlaut.txt')).body.toString(), 'umlaut');
    assert.equal((await ask('/note.txt?version=2')).status, 200);
    assert.equal((await ask('/inner-link.txt')).body.toString(), digits);
  });

  test('a large file arrives whole, and in order with later requests', async () => {
    peer.write('GET /large.bin HTTP/1.1\r\nHost: h\r\n\r\nGET /note.txt HTTP/1.1\r\nHost: h\r\n\r\n');
    assert.ok((await peer.response()).body.equals(large));
    assert.equal((await peer.response()).body.toString(), 'content of note.txt');
  });

  test('folders: with a slash their index, without one a redirect to the path with it', async () => {
    assert.equal((await ask('/')).body.toString(), 'content of index.html');
    assert.equal((await ask('/folder/')).body.toString(), 'folder');
    const redirect = await ask('/folder?a=b');
    assert.equal(redirect.status, 308);
    assert.equal(new URL(redirect.headers.location, 'http://h/folder').href, 'http://h/folder/?a=b');
    assert.equal((await ask('/empty/')).status, 404);
  });

  test('HEAD: the head of GET without its body', async () => {
    const head = await ask('/digits.txt', {}, 'HEAD');
    const whole = await ask('/digits.txt');
    for (const name of ['content-length', 'content-type', 'etag', 'last-modified', 'accept-ranges']) {
      assert.equal(head.headers[name], whole.headers[name], name);
    }
    assert.equal((await ask('/nowhere', {}, 'HEAD')).status, 404);
    assert.equal((await ask('/note.txt')).status, 200); // no part of a body came in between
  });
});

describe('conditions', () => {
  test('If-None-Match and If-Modified-Since: 304 while the file is the same, 200 after a change', async () => {
    const {headers} = await ask('/note.txt');
    for (const tag of [headers.etag, `W/${headers.etag}`, `"other", ${headers.etag}`, '*']) {
      const answer = await ask('/note.txt', {'If-None-Match': tag});
      assert.equal(answer.status, 304, tag);
      assert.equal(answer.headers.etag, headers.etag);
    }
    assert.equal((await ask('/note.txt', {'If-None-Match': '"other"'})).status, 200);
    assert.equal((await ask('/note.txt', {'If-Modified-Since': headers['last-modified']})).status, 304);
    assert.equal((await ask('/note.txt', {'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT'})).status, 200);
    assert.equal((await ask('/note.txt', {'If-Match': '"other"'})).status, 412);
    writeFileSync(join(root, 'site', 'note.txt'), 'content of NOTE.txt'); // the same size
    const changed = await ask('/note.txt', {'If-None-Match': headers.etag});
    assert.equal(changed.status, 200);
    assert.notEqual(changed.headers.etag, headers.etag);
    assert.ok(!changed.headers.etag.includes(statSync(join(root, 'site', 'note.txt')).ino.toString(16)));
    writeFileSync(join(root, 'site', 'note.txt'), 'content of note.txt');
  });

  test('ranges: one gives 206, past the end 416, an invalid one is ignored', async () => {
    const parts = [
      ['bytes=0-9', 206, '0123456789', 'bytes 0-9/100'],
      ['bytes=95-', 206, '56789', 'bytes 95-99/100'],
      ['bytes=-3', 206, '789', 'bytes 97-99/100'],
      ['bytes=98-5000', 206, '89', 'bytes 98-99/100'],
      ['bytes=-5000', 206, digits, 'bytes 0-99/100'],
      ['bytes=100-', 416, undefined, 'bytes */100'],
      ['bytes=-0', 416, undefined, 'bytes */100'],
      ['bytes=99999999999999999999999-', 416, undefined, 'bytes */100'],
      ['bytes=9-1', 200, digits],
      ['bytes=a-b', 200, digits],
      ['lines=0-1', 200, digits],
      ['bytes=0-1,3-4', 200, digits],
    ];
    for (const [range, status, body, contentRange] of parts) {
      const answer = await ask('/digits.txt', {Range: range});
      assert.equal(answer.status, status, range);
      assert.equal(answer.headers['content-range'], contentRange, range);
      if (body !== undefined) assert.equal(answer.body.toString(), body, range);
    }
    const {headers} = await ask('/digits.txt');
    assert.equal((await ask('/digits.txt', {Range: 'bytes=0-1', 'If-Range': headers.etag})).status, 206);
    assert.equal((await ask('/digits.txt', {Range: 'bytes=0-1', 'If-Range': '"old"'})).status, 200);
    const end = await ask('/large.bin', {Range: 'bytes=-100000'});
    assert.ok(end.body.equals(large.subarray(-100_000)));
  });
});

describe('paths outside the folder', () => {
  const refused = [
    ...[
      '/../outside.txt',
      '/folder/../../outside.txt',
      '/%2e%2e/outside.txt',
      '/..%2foutside.txt',
      '/%2e%2e%2foutside.txt',
    ],
    ...[
      '/..\\outside.txt',
      '/..%5coutside.txt',
      '/folder/..%5c..%5coutside.txt',
      '/./note.txt',
      '//note.txt',
      '/folder//index.html',
    ],
    ...[
      '/.env',
      '/folder/.hidden/file.txt',
      '/link.txt',
      '/up/outside.txt',
      '/up/site/.env',
      '/up/site-beside/file.txt',
    ],
    ...[
      '/../site-beside/file.txt',
      '/note.txt%00',
      '/%00',
      '/note.txt/',
      '/note.txt/x',
      '/etc/passwd',
      '/%ff%fe',
      '/..',
    ],
    ...[
      `/${'a/'.repeat(2_000)}x`,
      `/${'x'.repeat(5_000)}`,
      '/%252e%252e/outside.txt',
      '/..;/outside.txt',
      '/~root',
      '/*',
    ],
  ];
  for (const path of refused) {
    test(`${path.slice(0, 40)} is not served`, async () => {
      const own = await RawPeer.connect(server.port);
      const answer = await own.request(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
      assert.ok([400, 404].includes(answer.status), `${answer.status}`);
      assert.ok(!answer.body.includes('SECRET'));
      own.destroy();
    });
  }
});

describe('connections', () => {
  test('keep-alive: many requests over one connection, the default in HTTP/1.1', async () => {
    const own = await RawPeer.connect(server.port);
    for (let i = 0; i < 50; ++i) {
      const answer = await own.request('GET /note.txt HTTP/1.1\r\nHost: h\r\n\r\n');
      assert.equal(answer.status, 200);
      assert.notEqual(answer.headers.connection, 'close');
    }
    const last = await own.request('GET /note.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
    assert.equal(last.headers.connection, 'close');
    await own.ended();
  });

  test('HTTP/1.0: the connection ends after one response, unless keep-alive is requested', async () => {
    const one = await RawPeer.connect(server.port);
    assert.equal((await one.request('GET /note.txt HTTP/1.0\r\n\r\n')).body.toString(), 'content of note.txt');
    await one.ended();
    const two = await RawPeer.connect(server.port);
    const kept = await two.request('GET /note.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    assert.equal(kept.headers.connection, 'keep-alive');
    assert.equal((await two.request('GET /note.txt HTTP/1.0\r\n\r\n')).status, 200);
    await two.ended();
  });

  test('pipelining: 500 requests at once get their responses in order', async () => {
    const own = await RawPeer.connect(server.port);
    const names = ['/note.txt', '/nowhere', '/main.js', '/folder', '/digits.txt'];
    const requests = Array.from({length: 500}, (_, i) => `GET ${names[i % 5]}?${i} HTTP/1.1\r\nHost: h\r\n\r\n`);
    own.write(requests.join(''));
    const statuses = [200, 404, 200, 308, 200];
    for (let i = 0; i < 500; ++i) assert.equal((await own.response()).status, statuses[i % 5], `${i}`);
    assert.equal(own.unread.length, 0);
    own.destroy();
  });

  test('pipelining: requests sent byte by byte are answered as well', async () => {
    const own = await RawPeer.connect(server.port);
    const two = 'GET /note.txt HTTP/1.1\r\nHost: h\r\n\r\nHEAD /main.js HTTP/1.1\r\nHost: h\r\n\r\n';
    for (const byte of two) own.write(byte);
    assert.equal((await own.response()).body.toString(), 'content of note.txt');
    assert.equal((await own.response({withoutBody: true})).status, 200);
    own.destroy();
  });

  test('pipelining: requests after Connection: close get no response', async () => {
    const own = await RawPeer.connect(server.port);
    own.write('GET /main.js HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /note.txt HTTP/1.1\r\nHost: h\r\n\r\n');
    assert.equal((await own.response()).body.toString(), 'content of main.js');
    await own.ended();
    assert.equal(own.unread.length, 0);
  });

  test('pipelining: an upgrade after other requests is accepted after their responses', async () => {
    const own = await RawPeer.connect(server.port);
    const request = 'GET /large.bin HTTP/1.1\r\nHost: h\r\n\r\n';
    own.write(
      Buffer.concat([Buffer.from(request + upgradeRequest()), frame(opcode.text, '{"type":"leave_room","id":1}')]),
    );
    assert.equal((await own.response()).body.length, large.length);
    assert.equal((await own.response()).status, 101);
    assert.deepEqual(await own.json(), {type: 'ack', id: 1});
    own.destroy();
  });

  test('a client that has ended its sending side still gets its responses', async () => {
    const own = await RawPeer.connect(server.port);
    own.write('GET /large.bin HTTP/1.1\r\nHost: h\r\n\r\nGET /note.txt HTTP/1.1\r\nHost: h\r\n\r\n');
    own.end();
    assert.equal((await own.response()).body.length, large.length);
    assert.equal((await own.response()).body.toString(), 'content of note.txt');
    await own.ended();
  });

  test('Expect: 100-continue: the client gets the response without sending the body', async () => {
    const own = await RawPeer.connect(server.port);
    const head = 'POST /note.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
    const answer = await own.request(head);
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.connection, 'close');
    await own.ended();
  });

  test('downloads that are not read do not delay a room', async () => {
    const idle = await Promise.all(Array.from({length: 20}, () => RawPeer.connect(server.port)));
    for (const one of idle) {
      one.pause();
      one.write('GET /large.bin HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(20));
    }
    const ada = await LiveMember.join(server.url, 'room');
    for (let i = 0; i < 20; ++i) {
      await ada.request('send_chat', {message: String(i)});
      assert.equal((await ada.next('chat_message')).payload.message, String(i));
    }
    for (const one of idle) one.reset();
    await ada.close();
  });
});

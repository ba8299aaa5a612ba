// Files over plain HTTP: uploaded whole, downloaded whole or in ranges, under any name, and never executed in our
// origin. Run with plain `node`.
//
// FLUX_FILE_SERVER  the program of tests/support/file_server.cpp; required

import assert from 'node:assert/strict';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';

import {ask, begin, patch, randomBytes, sha256, tus} from './support/files.mjs';
import {LiveMember} from './support/live_member.mjs';
import {startServer} from './support/server_program.mjs';

const program = process.env.FLUX_FILE_SERVER;
let folder;
let server;
const start = (...options) => startServer(program, ['--dir', join(folder, String(Math.random())), ...options]);
const up = (body, path = '/files', headers = {}) => ask(server.port, 'POST', path, {body, headers});
const down = (path, headers = {}) => ask(server.port, 'GET', path, {headers});

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-files-'));
  server = await start('--sha256', '1', '--inline', 'image/png', '--max-file-size', '5000000');
});
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});

describe('uploads and downloads', () => {
  for (const size of [0, 1, 65_537, 4_999_999]) {
    test(`${size} bytes are downloaded as they were uploaded`, async () => {
      const content = randomBytes(size);
      const made = await up(content, '/files?filename=a.bin', {'Content-Type': 'application/x-test'});
      assert.equal(made.status, 201);
      assert.equal(made.headers['content-type'], 'application/json');
      const said = JSON.parse(made.body);
      assert.deepEqual(said, {
        fileId: said.fileId,
        fileName: 'a.bin',
        mimeType: 'application/x-test',
        size,
        sha256: sha256(content),
      });
      assert.equal(made.headers.location, `/files/${said.fileId}`);
      const got = await down(made.headers.location);
      assert.equal(got.status, 200);
      assert.ok(got.body.equals(content));
      assert.equal(got.headers['content-length'], String(size));
      assert.equal(got.headers.etag, `"${said.fileId}"`);
      assert.equal(got.headers['repr-digest'], `sha-256=:${Buffer.from(sha256(content), 'hex').toString('base64')}:`);
      const head = await ask(server.port, 'HEAD', made.headers.location);
      assert.equal(head.status, 200);
      assert.deepEqual({...head.headers, date: 0}, {...got.headers, date: 0});
    });
  }

  test('a chunked body, whose length is known at its end', async () => {
    const content = randomBytes(300_000);
    const made = await up(content, '/files', {'Transfer-Encoding': 'chunked'});
    assert.equal(made.status, 201);
    assert.ok((await down(made.headers.location)).body.equals(content));
  });

  test('longer than a file may be: 413, by its declared length or in chunks, and nothing is left behind', async () => {
    const before = readdirSync(folder, {recursive: true}).length;
    const content = Buffer.alloc(5_000_001);
    assert.equal((await up(content)).status, 413);
    assert.equal((await up(content, '/files', {'Transfer-Encoding': 'chunked'})).status, 413);
    assert.equal(readdirSync(folder, {recursive: true}).length, before);
    assert.equal((await up(content.subarray(1))).status, 201);
  });

  test('a form uploads files, as browsers send it; another form or an encoded body: 415', async () => {
    const form = new FormData();
    form.append('comment', 'two files');
    form.append('file', new Blob(['one'], {type: 'text/plain'}), 'ä"1.txt');
    form.append('file', new Blob(['two']), 'b');
    const answer = await fetch(`http://127.0.0.1:${server.port}/files`, {method: 'POST', body: form});
    assert.equal(answer.status, 201);
    const {files} = await answer.json();
    assert.deepEqual(files.map((file) => [file.fileName, file.size]), [['ä"1.txt', 3], ['b', 3]]);
    assert.match(files[0].mimeType, /^text\/plain/);
    assert.equal(await (await fetch(`http://127.0.0.1:${server.port}/files/${files[1].fileId}`)).text(), 'two');
    for (const type of ['application/x-www-form-urlencoded', 'text/plain']) {
      const refused = await up('x', '/files', {'Content-Type': type, 'Sec-Fetch-Mode': 'navigate'});
      assert.equal(refused.status, 415);
      assert.match(refused.body.toString(), /needs enctype="multipart\/form-data"/);
    }
    assert.equal((await up('x', '/files', {'Content-Encoding': 'gzip'})).status, 415);
  });

  test("curl's default type says nothing about a file; other multipart types are kept as the file's type", async () => {
    const typeOf = async (type) => JSON.parse((await up('x', '/files', {'Content-Type': type})).body).mimeType;
    assert.equal(await typeOf('application/x-www-form-urlencoded'), 'application/octet-stream');
    assert.equal(await typeOf('multipart/related'), 'multipart/related');
  });

  test('part of a file, by a draft protocol after tus: 400, nothing is left behind; a whole one is a file', async () => {
    const before = readdirSync(folder, {recursive: true}).length;
    for (const headers of [{'Upload-Complete': '?0'}, {'Upload-Incomplete': '?1'}]) {
      const answer = await up('x', '/files', {'Upload-Draft-Interop-Version': '6', ...headers});
      assert.equal(answer.status, 400);
      assert.match(answer.body.toString(), /tus 1\.0\.0/);
    }
    assert.equal(readdirSync(folder, {recursive: true}).length, before);
    assert.equal((await up('x', '/files', {'Upload-Complete': '?1'})).status, 201);
  });

  test('other methods: 405 with Allow', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await ask(server.port, method, '/files');
      assert.equal(answer.status, 405, method);
      assert.equal(answer.headers.allow, 'POST, OPTIONS');
    }
    const {location} = (await up('x')).headers;
    for (const method of ['PUT', 'POST']) {
      const answer = await ask(server.port, method, location);
      assert.equal(answer.status, 405, method);
      assert.equal(answer.headers.allow, 'GET, HEAD, PATCH, DELETE, OPTIONS');
    }
  });
});

describe('ranges and conditions', () => {
  const content = Buffer.from('0123456789');
  let path;
  let etag;
  let modified;
  before(async () => {
    path = (await up(content)).headers.location;
    ({etag, 'last-modified': modified} = (await down(path)).headers);
  });

  for (const [range, part, said] of [
    ['bytes=0-3', '0123', '0-3'],
    ['bytes=4-', '456789', '4-9'],
    ['bytes=-3', '789', '7-9'],
    ['bytes=8-99', '89', '8-9'],
  ]) {
    test(`${range}: 206`, async () => {
      const got = await down(path, {Range: range});
      assert.equal(got.status, 206);
      assert.equal(got.body.toString(), part);
      assert.equal(got.headers['content-range'], `bytes ${said}/10`);
      assert.equal(got.headers['x-content-type-options'], 'nosniff');
    });
  }

  for (const range of ['bytes=10-', 'bytes=10-20', 'bytes=-0', 'bytes=99999999999999999999-']) {
    test(`${range}, past the end: 416`, async () => {
      const got = await down(path, {Range: range});
      assert.equal(got.status, 416);
      assert.equal(got.headers['content-range'], 'bytes */10');
    });
  }

  for (const range of ['bytes=3-1', 'bytes=a-b', 'bytes=', 'items=0-1', 'bytes=0-1,3-4']) {
    test(`${range}, not a valid range: the whole file`, async () => {
      const got = await down(path, {Range: range});
      assert.equal(got.status, 200);
      assert.equal(got.body.toString(), '0123456789');
    });
  }

  test('If-None-Match, If-Modified-Since: 304; If-Match: 412; If-Range of another file: the whole file', async () => {
    const status = async (headers) => (await down(path, headers)).status;
    assert.equal(await status({'If-None-Match': etag}), 304);
    assert.equal(await status({'If-None-Match': `"x", W/${etag}`}), 304);
    assert.equal(await status({'If-None-Match': '"x"'}), 200);
    assert.equal(await status({'If-Modified-Since': modified}), 304);
    assert.equal(await status({'If-Match': '"x"'}), 412);
    assert.equal(await status({'If-Match': etag}), 200);
    assert.equal(await status({Range: 'bytes=0-1', 'If-Range': etag}), 206);
    assert.equal(await status({Range: 'bytes=0-1', 'If-Range': '"x"'}), 200);
    assert.equal(await status({Range: 'bytes=0-1', 'If-Range': modified}), 206);
  });
});

describe('names and types', () => {
  test('any Unicode name survives upload and download', async () => {
    const name = 'naïve “файл” 日本 😀.txt';
    const made = await up('x', `/files?filename=${encodeURIComponent(name)}`);
    assert.equal(JSON.parse(made.body).fileName, name);
    const {'content-disposition': field} = (await down(made.headers.location)).headers;
    assert.match(field, /^attachment; filename="[ -~]+"; filename\*=UTF-8''/);
    assert.equal(decodeURIComponent(field.split("UTF-8''")[1]), name);
    const other = await down(`${made.headers.location}?filename=other.bin`);
    assert.equal(other.headers['content-disposition'], 'attachment; filename="other.bin"');
  });

  test('a page is offered as a download and sandboxed if it is opened; only listed types are displayed', async () => {
    const page = await up('<script>alert(1)</script>', '/files?filename=a.html', {'Content-Type': 'text/html'});
    const got = await down(page.headers.location);
    assert.equal(got.headers['content-type'], 'text/html');
    assert.equal(got.headers['content-disposition'], 'attachment; filename="a.html"');
    assert.equal(got.headers['content-security-policy'], "sandbox; default-src 'none'");
    assert.equal(got.headers['x-content-type-options'], 'nosniff');
    assert.match(got.headers['cache-control'], /private/);
    const image = await up('x', '/files?filename=a.png', {'Content-Type': 'image/PNG; x=y'});
    const shown = (await down(image.headers.location)).headers;
    assert.match(shown['content-disposition'], /^inline; /);
    assert.equal(shown['content-security-policy'], "sandbox; default-src 'none'; style-src 'unsafe-inline'");
  });

  test('an invalid media type is downloaded as plain bytes', async () => {
    for (const type of ['text', 'a/b/c', 'text/', 'text/html, text/plain', '']) {
      const made = await up('x', '/files', type === '' ? {} : {'Content-Type': type});
      assert.equal((await down(made.headers.location)).headers['content-type'], 'application/octet-stream', type);
    }
  });
});

describe('permissions', () => {
  for (const when of ['now', 'later']) {
    test(`the application decides who may do what, ${when}`, async () => {
      const guarded = await start('--auth', when);
      const as = (user) => (user ? {Authorization: `Bearer ${user}`} : {});
      const call = (method, path, user, body) => ask(guarded.port, method, path, {headers: as(user), body});
      assert.equal((await call('POST', '/files', undefined, 'x')).body.toString(), 'say who you are');
      const made = await call('POST', '/files', 'ann', 'x');
      assert.equal(made.status, 201);
      const {location} = made.headers;
      const stranger = await call('GET', location);
      assert.equal(stranger.status, 401);
      assert.equal(stranger.headers['www-authenticate'], 'Bearer');
      assert.equal((await call('GET', location, 'thief')).body.toString(), 'this is not yours');
      assert.equal((await call('GET', location, 'bob')).body.toString(), 'x');
      assert.equal((await call('DELETE', location, 'ann')).status, 403);

      const upload = await begin(guarded.port, 2, as('ann'));
      assert.equal((await patch(guarded.port, upload, 0, 'x', as('thief'))).status, 403);
      assert.equal((await tus(guarded.port, 'HEAD', upload, as('thief'))).status, 403);
      assert.equal((await tus(guarded.port, 'DELETE', upload, as('thief'))).status, 403);
      assert.equal((await patch(guarded.port, upload, 0, 'xy', as('ann'))).status, 204);

      const link = (await ask(guarded.port, 'GET', `/link/${location.slice(7)}?name=n.txt`)).body.toString();
      const linked = await call('GET', link);
      assert.equal(linked.body.toString(), 'x');
      assert.equal(linked.headers['content-disposition'], 'attachment; filename="n.txt"');
      for (const bad of [
        link.replace(/.$/, (c) => (c === '0' ? '1' : '0')),
        link.replace('n.txt', 'm.txt'),
        link.replace(/expires=\d/, (c) => `${c}9`),
        link.replace(/&signature=.*/, ''),
        link.replace(location, upload),
      ]) {
        assert.equal((await call('GET', bad, 'admin')).status, 403, bad);
      }
      assert.equal((await ask(guarded.port, 'GET', `/link/${location.slice(7)}?seconds=0`)).status, 400);

      assert.equal((await call('DELETE', location, 'admin')).status, 204);
      assert.equal((await call('GET', location, 'ann')).status, 404);
      await guarded.stop();
    });
  }
});

describe('other origins', () => {
  const origin = 'https://app.example.com';
  const cors = (headers) => Object.keys(headers).filter((name) => name.startsWith('access-control'));

  test('refused by default: no CORS fields, and no uploads', async () => {
    const path = (await up('x')).headers.location;
    assert.deepEqual(cors((await down(path, {Origin: origin})).headers), []);
    const asked = await ask(server.port, 'OPTIONS', '/files', {
      headers: {Origin: origin, 'Access-Control-Request-Method': 'POST'},
    });
    assert.equal(asked.status, 204);
    assert.deepEqual(cors(asked.headers), []);
    assert.equal((await up('x', '/files', {Origin: origin})).status, 403);
    assert.equal((await up('x', '/files', {Origin: 'null'})).status, 403);
    assert.equal((await up('x', '/files', {Origin: `http://127.0.0.1:${server.port}`})).status, 201);
    assert.equal((await up('x', '/files', {Origin: origin, 'Sec-Fetch-Site': 'same-origin'})).status, 201);
    assert.equal((await up('x', '/files', {'Sec-Fetch-Site': 'cross-site'})).status, 403);
  });

  test('a listed origin may read responses and send any fields; others may not', async () => {
    const open = await start('--cors', origin);
    const fields = 'authorization,baggage,if-modified-since,sentry-trace,traceparent,tus-resumable,upload-concat,x-csrf-token';
    const preflight = (headers) =>
      ask(open.port, 'OPTIONS', '/files', {headers: {Origin: origin, 'Access-Control-Request-Method': 'POST', ...headers}});
    const asked = await preflight({'Access-Control-Request-Headers': fields});
    assert.equal(asked.headers['access-control-allow-origin'], origin);
    assert.match(asked.headers['access-control-allow-methods'], /PATCH/);
    assert.equal(asked.headers['access-control-allow-headers'], fields);
    assert.equal((await preflight()).headers['access-control-allow-headers'], undefined);
    const made = await ask(open.port, 'POST', '/files', {headers: {Origin: origin}, body: 'x'});
    assert.equal(made.status, 201);
    for (const field of ['Location', 'ETag', 'Accept-Ranges', 'Content-Range', 'Content-Disposition']) {
      assert.ok(made.headers['access-control-expose-headers'].split(', ').includes(field), field);
    }
    const refused = await ask(open.port, 'POST', '/files', {headers: {Origin: 'https://other.example'}, body: 'x'});
    assert.equal(refused.status, 403);
    assert.equal(refused.headers['access-control-allow-origin'], undefined);
    assert.equal(refused.headers.vary, 'Origin');
    const missing = await ask(open.port, 'GET', '/files/x', {headers: {Origin: origin}});
    assert.equal(missing.headers['access-control-allow-origin'], origin);
    await open.stop();
  });
});

test('a room is told of an upload: its progress, and that it is complete', async () => {
  const member = await LiveMember.join(server.url, 'watched');
  const {ticket} = await member.request('upload_ticket', {roomId: 'watched'});
  const made = await up(randomBytes(3_000_000), `/files?filename=n&ticket=${ticket}&upload_id=mine`);
  const {fileId} = JSON.parse(made.body);
  for (let offset = 0; ; ) {
    const {payload} = await member.next('broadcast_event');
    assert.equal(payload.event, 'upload_progress');
    assert.equal(payload.connectionId, member.id);
    const {done, ...rest} = payload.payload;
    const named = {uploadId: 'mine', fileName: 'n', offset: 0, length: 3_000_000};
    assert.deepEqual({...rest, offset: 0}, done ? {...named, fileId} : named);
    assert.ok(rest.offset > offset || done);
    ({offset} = rest);
    if (!done) continue;
    assert.equal(offset, 3_000_000);
    break;
  }
  await member.close();
});

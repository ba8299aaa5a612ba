// tus 1.0: every rule of the protocol, and of the extensions that we announce. Run with plain `node`.
//
// FLUX_FILE_SERVER  the program of tests/support/file_server.cpp; required

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';

import {ask, begin, checksum, metadata, offsetOf, patch, randomBytes, tus} from './support/files.mjs';
import {RawPeer} from './support/raw_peer.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const chunkType = {'Content-Type': 'application/offset+octet-stream'};
let folder;
let server;
let port;
const start = (...options) =>
  startServer(process.env.FLUX_FILE_SERVER, ['--dir', join(folder, String(Math.random())), ...options]);
const content = async (path) => (await ask(port, 'GET', path)).body;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-tus-'));
  server = await start('--dir', join(folder, 'store'), '--max-file-size', '2000000', '--checked-chunk-max', '1000');
  port = server.port;
});
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});

describe('core', () => {
  test('OPTIONS lists what is supported', async () => {
    const {status, headers} = await ask(port, 'OPTIONS', '/files');
    assert.equal(status, 204);
    assert.equal(headers['tus-version'], '1.0.0');
    assert.equal(headers['tus-max-size'], '2000000');
    assert.equal(headers['tus-checksum-algorithm'], 'sha1,sha256');
    assert.deepEqual(headers['tus-extension'].split(',').sort(), [
      'checksum',
      'creation',
      'creation-defer-length',
      'creation-with-upload',
      'expiration',
      'termination',
    ]);
  });

  test('an upload in parts: HEAD and PATCH return its offset', async () => {
    const bytes = randomBytes(300_000);
    const path = await begin(port, bytes.length, {'Upload-Metadata': metadata({filename: 'a.bin', filetype: 'x/y'})});
    for (let offset = 0; offset < bytes.length; ) {
      const head = await tus(port, 'HEAD', path);
      assert.equal(head.status, 200);
      assert.equal(head.headers['upload-offset'], String(offset));
      assert.equal(head.headers['upload-length'], '300000');
      assert.equal(head.headers['cache-control'], 'no-store');
      assert.equal(head.headers['tus-resumable'], '1.0.0');
      assert.equal((await ask(port, 'GET', path)).status, 404);
      const size = Math.min(70_001, bytes.length - offset);
      const sent = await patch(port, path, offset, bytes.subarray(offset, offset + size));
      assert.equal(sent.status, 204);
      offset += size;
      assert.equal(sent.headers['upload-offset'], String(offset));
    }
    const got = await ask(port, 'GET', path);
    assert.ok(got.body.equals(bytes));
    assert.equal(got.headers['content-type'], 'x/y');
    assert.equal(got.headers['content-disposition'], 'attachment; filename="a.bin"');
    assert.equal(await offsetOf(port, path), 300_000);
  });

  test('another version: 412 with ours, and nothing is done', async () => {
    const path = await begin(port, 3);
    for (const version of ['0.2.2', '1.0.1', '', '1.0.0, 1.0.0']) {
      const answer = await patch(port, path, 0, 'abc', {'Tus-Resumable': version});
      assert.equal(answer.status, 412, version);
      assert.equal(answer.headers['tus-version'], '1.0.0');
    }
    const without = await ask(port, 'PATCH', path, {headers: {...chunkType, 'Upload-Offset': 0}, body: 'abc'});
    assert.equal(without.status, 412);
    assert.equal(await offsetOf(port, path), 0);
  });

  test('another Content-Type: 415; another offset: 409; more than its length: 413; all without effect', async () => {
    const path = await begin(port, 3);
    assert.equal((await patch(port, path, 0, 'a', {'Content-Type': 'text/plain'})).status, 415);
    assert.equal((await patch(port, path, 1, 'a')).status, 409);
    assert.equal((await patch(port, path, 0, 'abcd')).status, 413);
    assert.equal(await offsetOf(port, path), 0);
    assert.equal((await patch(port, path, 0, 'ab')).status, 204);
    assert.equal((await patch(port, path, 0, 'ab')).status, 409);
    assert.equal((await patch(port, path, 2, 'c')).status, 204);
    assert.equal((await patch(port, path, 3, 'd')).status, 413);
    assert.equal((await patch(port, path, 3, '')).status, 204);
    assert.equal((await content(path)).toString(), 'abc');
  });

  test('a chunked body past the length: 413', async () => {
    const path = await begin(port, 3);
    assert.equal((await patch(port, path, 0, 'abcd', {'Transfer-Encoding': 'chunked'})).status, 413);
    assert.equal((await patch(port, path, 0, 'abc', {'Transfer-Encoding': 'chunked'})).status, 204);
  });

  test('the bytes received of an aborted PATCH count', async () => {
    const path = await begin(port, 10);
    const peer = await RawPeer.connect(port);
    peer.write(
      `PATCH ${path} HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
        'Content-Type: application/offset+octet-stream\r\nContent-Length: 10\r\n\r\nabcd',
    );
    // A HEAD would take the upload over from it.
    const part = join(folder, 'store', `${path.split('/').at(-1)}.part`);
    await until(() => statSync(part, {throwIfNoEntry: false})?.size === 4, 'what had come');
    peer.end();
    peer.destroy();
    assert.equal(await offsetOf(port, path), 4);
    assert.equal((await patch(port, path, 4, 'efghij')).status, 204);
    assert.equal((await content(path)).toString(), 'abcdefghij');
  });

  test('X-HTTP-Method-Override is the method', async () => {
    const path = await begin(port, 3);
    const override = (method, headers = {}, body) =>
      tus(port, 'POST', path, {'X-HTTP-Method-Override': method, ...headers}, body);
    assert.equal((await override('PATCH', {...chunkType, 'Upload-Offset': 0}, 'ab')).status, 204);
    const head = await override('HEAD');
    assert.equal(head.status, 200);
    assert.equal(head.headers['upload-offset'], '2');
    assert.equal((await override('DELETE')).status, 204);
    assert.equal(await offsetOf(port, path), undefined);
    assert.equal((await ask(port, 'POST', path, {headers: {'X-HTTP-Method-Override': 'DELETE'}})).status, 405);
  });

  test('an upload that does not exist: 404 without an offset', async () => {
    for (const path of ['/files/6a9d2a60-3f0a-4d5e-9c36-0123456789ab', '/files/x', '/files/..']) {
      const head = await tus(port, 'HEAD', path);
      assert.equal(head.status, 404);
      assert.equal(head.headers['upload-offset'], undefined);
      assert.equal((await patch(port, path, 0, 'x')).status, 404);
      assert.equal((await tus(port, 'DELETE', path)).status, 404);
    }
  });
});

describe('a newer request', () => {
  const stalled = (path) =>
    `PATCH ${path} HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
    'Content-Type: application/offset+octet-stream\r\nContent-Length: 10\r\n\r\nabcd';

  for (const method of ['HEAD', 'PATCH', 'DELETE']) {
    test(`${method} takes over at once from a stalled PATCH, whose connection is closed`, async () => {
      const path = await begin(port, 10);
      const peer = await RawPeer.connect(port);
      peer.write(stalled(path));
      await until(() => peer.isOpen, 'the connection');
      const begun = performance.now();
      if (method === 'HEAD') await until(async () => (await offsetOf(port, path)) !== undefined, 'an offset');
      // The first bytes may not have been stored when the newer request arrived: it is then refused, and retries.
      if (method === 'PATCH') {
        await until(async () => (await patch(port, path, await offsetOf(port, path), 'x')).status === 204, 'a PATCH');
      }
      if (method === 'DELETE') assert.equal((await tus(port, 'DELETE', path)).status, 204);
      assert.ok(performance.now() - begun < 2_000);
      peer.write('efghij');
      await peer.ended();
      assert.match(peer.unread.toString(), /^HTTP\/1.1 (409|404)/);
    });
  }
});

describe('creation', () => {
  test('HEAD returns the metadata as it was sent', async () => {
    const said = `${metadata({filename: 'ñ', own: 'x'})},flag`;
    const path = await begin(port, 1, {'Upload-Metadata': said});
    assert.equal((await tus(port, 'HEAD', path)).headers['upload-metadata'], said);
  });

  test('neither or both lengths, or a bad one: 400; too long: 413', async () => {
    const status = async (headers) => (await tus(port, 'POST', '/files', headers)).status;
    assert.equal(await status({}), 400);
    assert.equal(await status({'Upload-Length': 1, 'Upload-Defer-Length': 1}), 400);
    assert.equal(await status({'Upload-Defer-Length': 0}), 400);
    assert.equal(await status({'Upload-Defer-Length': 2}), 400);
    assert.equal(await status({'Upload-Length': 2_000_001}), 413);
    assert.equal(await status({'Upload-Length': 2_000_000}), 201);
  });

  test('parts for later concatenation: 400, because they would remain separate files', async () => {
    for (const concat of ['partial', 'final;/files/a /files/b']) {
      const answer = await tus(port, 'POST', '/files', {'Upload-Length': 3, 'Upload-Concat': concat});
      assert.equal(answer.status, 400);
      assert.match(answer.body.toString(), /Upload-Concat is not supported/);
    }
  });

  test('metadata of 3072 bytes, and one more: 413', async () => {
    const status = async (bytes) => {
      const half = 'a'.repeat(1_536);
      const said = [half, 'b'.repeat(bytes - half.length - ', '.length)];
      return (await tus(port, 'POST', '/files', {'Upload-Length': 1, 'Upload-Metadata': said})).status;
    };
    assert.equal(await status(3_072), 201);
    assert.equal(await status(3_073), 413);
  });

  test('an empty file is complete when it is created', async () => {
    const path = await begin(port, 0);
    const got = await ask(port, 'GET', path);
    assert.equal(got.status, 200);
    assert.equal(got.body.length, 0);
  });

  test('with upload: all of it, some of it, too much of it, or of another type', async () => {
    const post = (length, body, headers = chunkType) =>
      tus(port, 'POST', '/files', {'Upload-Length': length, ...headers}, body);
    const all = await post(3, 'abc');
    assert.equal(all.status, 201);
    assert.equal(all.headers['upload-offset'], '3');
    assert.equal((await content(all.headers.location)).toString(), 'abc');
    const some = await post(3, 'ab');
    assert.equal(some.headers['upload-offset'], '2');
    assert.equal((await patch(port, some.headers.location, 2, 'c')).status, 204);
    assert.equal((await content(some.headers.location)).toString(), 'abc');
    assert.equal((await post(3, 'abcd')).status, 413);
    assert.equal((await post(3, 'abc', {'Content-Type': 'text/plain'})).status, 415);
  });

  test('with the length deferred: any PATCH may declare it, once', async () => {
    const made = await tus(port, 'POST', '/files', {'Upload-Defer-Length': 1});
    const path = made.headers.location;
    const head = await tus(port, 'HEAD', path);
    assert.equal(head.headers['upload-defer-length'], '1');
    assert.equal(head.headers['upload-length'], undefined);
    assert.equal((await patch(port, path, 0, 'abc')).status, 204);
    assert.equal((await patch(port, path, 3, 'd', {'Upload-Length': 2})).status, 400);
    assert.equal((await patch(port, path, 3, 'd', {'Upload-Length': 2_000_001})).status, 413);
    assert.equal((await patch(port, path, 3, 'd', {'Upload-Length': 5})).status, 204);
    assert.equal((await patch(port, path, 4, 'e', {'Upload-Length': 6})).status, 400);
    assert.equal((await tus(port, 'HEAD', path)).headers['upload-length'], '5');
    assert.equal((await patch(port, path, 4, 'e')).status, 204);
    assert.equal((await content(path)).toString(), 'abcde');
  });

  test('with the length deferred: more than a file may have: 413', async () => {
    const path = (await tus(port, 'POST', '/files', {'Upload-Defer-Length': 1})).headers.location;
    assert.equal((await patch(port, path, 0, Buffer.alloc(2_000_001))).status, 413);
    assert.equal((await patch(port, path, await offsetOf(port, path), '', {'Upload-Length': 0})).status, 204);
  });
});

describe('checksum', () => {
  for (const algorithm of ['sha1', 'sha256']) {
    test(`${algorithm}: the right one: 204; a wrong one: 460, and the chunk does not count`, async () => {
      const path = await begin(port, 6);
      const bad = await patch(port, path, 0, 'abc', {'Upload-Checksum': checksum(algorithm, 'abd')});
      assert.equal(bad.status, 460);
      assert.equal(await offsetOf(port, path), 0);
      assert.equal((await patch(port, path, 0, 'abc', {'Upload-Checksum': checksum(algorithm, 'abc')})).status, 204);
      assert.equal((await patch(port, path, 3, 'def', {'Upload-Checksum': checksum(algorithm, 'def')})).status, 204);
      assert.equal((await content(path)).toString(), 'abcdef');
    });
  }

  test('of the body of a creation: a wrong one: 460', async () => {
    const post = (of) =>
      tus(port, 'POST', '/files', {'Upload-Length': 3, ...chunkType, 'Upload-Checksum': checksum('sha1', of)}, 'abc');
    assert.equal((await post('abd')).status, 460);
    assert.equal((await post('abc')).status, 201);
  });

  test('another algorithm or no checksum: 400', async () => {
    const path = await begin(port, 3);
    for (const bad of ['md5 kAFQmDzST7DWlj99KOF/cg==', 'sha1', 'sha1 ???', 'sha1 ', `${checksum('sha1', 'abc')}, x`]) {
      assert.equal((await patch(port, path, 0, 'abc', {'Upload-Checksum': bad})).status, 400, bad);
    }
    const shorter = {'Upload-Checksum': checksum('sha1', 'abc').slice(0, -4)};
    assert.equal((await patch(port, path, 0, 'abc', shorter)).status, 460);
    assert.equal(await offsetOf(port, path), 0);
  });

  test('a chunk larger than the limit of checked chunks: 413', async () => {
    const bytes = Buffer.alloc(1_001, 'x');
    const path = await begin(port, 2_000);
    assert.equal((await patch(port, path, 0, bytes, {'Upload-Checksum': checksum('sha1', bytes)})).status, 413);
    const shorter = bytes.subarray(1);
    assert.equal((await patch(port, path, 0, shorter, {'Upload-Checksum': checksum('sha1', shorter)})).status, 204);
  });

  test('an aborted checked chunk does not count', async () => {
    const path = await begin(port, 10);
    const peer = await RawPeer.connect(port);
    peer.write(
      `PATCH ${path} HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: 10\r\n` +
        `Upload-Checksum: ${checksum('sha1', 'abcdefghij')}\r\n` +
        'Content-Type: application/offset+octet-stream\r\n\r\nabcd',
    );
    await until(async () => (await offsetOf(port, path)) === 0, 'the offset');
    await peer.ended();
    assert.equal(await offsetOf(port, path), 0);
  });
});

describe('expiration', () => {
  test('an upload reports when it expires, later with each PATCH, and no longer exists then', async () => {
    const brief = await start('--upload-expires', '3');
    const made = await tus(brief.port, 'POST', '/files', {'Upload-Length': 3});
    const path = made.headers.location;
    const expires = (answer) => Date.parse(answer.headers['upload-expires']);
    assert.ok(Math.abs(expires(made) - Date.now() - 3_000) < 2_000);
    const sent = await patch(brief.port, path, 0, 'a');
    assert.ok(expires(sent) >= expires(made));
    await until(async () => [404, 410].includes((await tus(brief.port, 'HEAD', path)).status), 'the end of the upload');
    assert.ok([404, 410].includes((await patch(brief.port, path, 1, 'b')).status));
    const done = await tus(brief.port, 'POST', '/files', {'Upload-Length': 1, ...chunkType}, 'x');
    assert.equal(done.headers['upload-expires'], undefined);
    await brief.stop();
  });
});

test('termination: a removed upload no longer exists, a complete file stays', async () => {
  const path = await begin(port, 3);
  const removed = await tus(port, 'DELETE', path);
  assert.equal(removed.status, 204);
  assert.equal(removed.headers['tus-resumable'], '1.0.0');
  assert.equal((await tus(port, 'HEAD', path)).status, 404);
  assert.equal((await patch(port, path, 0, 'abc')).status, 404);
  const complete = await begin(port, 0);
  assert.equal((await tus(port, 'DELETE', complete)).status, 403);
});

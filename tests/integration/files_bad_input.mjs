// Bad input to files over HTTP: a response that says what was wrong, nothing left in the store, nobody else affected.
// Run with plain `node`.
//
// FLUX_FILE_SERVER  the program of tests/support/file_server.cpp; required

import assert from 'node:assert/strict';
import {existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, before, describe, test} from 'node:test';

import {ask, begin, metadata, offsetOf, patch, tus} from './support/files.mjs';
import {openDescriptors, residentBytes} from './support/process_use.mjs';
import {RawPeer} from './support/raw_peer.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const chunkType = 'Content-Type: application/offset+octet-stream\r\n';
const idleMs = 1_000;
let folder;
let store;
let server;
let port;
let innocent;
let quietDescriptors; // of the server without clients

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-files-'));
  store = join(folder, 'store');
  writeFileSync(join(folder, 'secret.txt'), 'SECRET');
  server = await startServer(process.env.FLUX_FILE_SERVER, [
    ...['--dir', store, '--idle-ms', String(idleMs), '--max-file-size', '50000000'],
  ]);
  port = server.port;
  quietDescriptors = openDescriptors(server.pid);
  innocent = (await ask(port, 'POST', '/files', {body: 'innocent'})).headers.location;
});
afterEach(async () => {
  assert.equal((await ask(port, 'GET', innocent)).body.toString(), 'innocent');
});
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});

const stored = () => readdirSync(store).filter((name) => /^[0-9a-f]{8}-/.test(name)).length;

describe('ids that point elsewhere', () => {
  const id = () => innocent.slice('/files/'.length);
  for (const [name, path] of [
    ['dots', '/files/../secret.txt'],
    ['dots alone', '/files/..'],
    ['encoded dots', '/files/%2e%2e'],
    ['an encoded slash', '/files/..%2Fsecret.txt'],
    ['a backslash', '/files/..%5Csecret.txt'],
    ['the index', '/files/flux-files.index'],
    ['the lock', '/files/flux-files.lock'],
    ['NUL', '/files/%00'],
    ['nothing', '/files/'],
    ['a very long one', `/files/${'a'.repeat(4_000)}`],
  ]) {
    test(`${name}: 404 or 400 for every method`, async () => {
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        const answer = await tus(port, method, path, {
          'Content-Type': 'application/offset+octet-stream',
          'Upload-Offset': 0,
        });
        assert.ok([400, 404].includes(answer.status), `${method}: ${answer.status}`);
        assert.ok(!answer.body.includes('SECRET') && !answer.body.includes(folder));
      }
    });
  }
  test('an id in upper case or with more after it: 404', async () => {
    for (const path of [id().toUpperCase(), `${id()}x`, `${id()}.part`, ` ${id()}`, `${id()}/`, `./${id()}`]) {
      const answer = await ask(port, 'GET', `/files/${encodeURI(path)}`);
      assert.ok([400, 404].includes(answer.status), path);
    }
  });
});

describe('names', () => {
  test('path escapes: the file is stored under its id, and downloaded under a harmless name', async () => {
    for (const name of ['../../escaped', '/etc/passwd', '..\\..\\escaped', 'C:\\escaped', '..', '.']) {
      const made = await ask(port, 'POST', `/files?filename=${encodeURIComponent(name)}`, {body: 'x'});
      assert.equal(made.status, 201);
      const field = (await ask(port, 'GET', made.headers.location)).headers['content-disposition'];
      assert.doesNotMatch(decodeURIComponent(field), /[/\\]/);
    }
    assert.ok(!existsSync(join(folder, 'escaped')) && !existsSync(join(folder, '..', 'escaped')));
    for (const entry of readdirSync(store)) assert.match(entry, /^[0-9a-f-]{36}$|^flux-files\./);
  });

  test('header injection: no header line is added', async () => {
    const names = ['a\r\nSet-Cookie: b=c', 'a\nX-Injected: 1', 'a"; filename="b.exe', 'a\u2028X-Injected: 1\u0085b'];
    for (const name of names) {
      for (const path of [
        (await ask(port, 'POST', `/files?filename=${encodeURIComponent(name)}`, {body: 'x'})).headers.location,
        await begin(port, 0, {'Upload-Metadata': metadata({filename: name, filetype: 'text/html\r\nX-Injected: 1'})}),
        `${innocent}?filename=${encodeURIComponent(name)}`,
      ]) {
        const {status, headers} = await ask(port, 'GET', path);
        assert.equal(status, 200);
        assert.equal(headers['set-cookie'] ?? headers['x-injected'], undefined);
        assert.equal(headers['content-type'], 'application/octet-stream');
        assert.equal(headers['content-disposition'].match(/filename="/g).length, 1);
      }
    }
  });

  test('direction overrides are removed', async () => {
    const made = await ask(port, 'POST', `/files?filename=${encodeURIComponent('\u202egpj.exe')}`, {body: 'x'});
    const field = (await ask(port, 'GET', made.headers.location)).headers['content-disposition'];
    assert.equal(field, 'attachment; filename="gpj.exe"');
  });

  test('not UTF-8, with NUL, or too long: 400; likewise a bad room', async () => {
    const before = stored();
    for (const query of ['filename=%ff', 'filename=a%00b', `filename=${'x'.repeat(513)}`, 'room=%01', 'room=%ff']) {
      assert.equal((await ask(port, 'POST', `/files?${query}`, {body: 'x'})).status, 400, query.slice(0, 20));
    }
    const status = async (said) =>
      (await tus(port, 'POST', '/files', {'Upload-Length': 1, 'Upload-Metadata': said})).status;
    assert.equal(await status('filename /w=='), 400);
    assert.equal(await status('room AQ=='), 400);
    assert.equal(stored(), before);
  });
});

describe('false numbers', () => {
  const bad = ['-1', '+1', '1.5', '1e9', '0x1', 'x', '', ' ', '1, 1', '9223372036854775808', '9'.repeat(50)];
  for (const value of bad) {
    test(`Upload-Length and Upload-Offset "${value.slice(0, 20)}": 400`, async () => {
      assert.equal((await tus(port, 'POST', '/files', {'Upload-Length': value})).status, 400);
      const path = await begin(port, 3);
      assert.equal((await patch(port, path, value, 'abc')).status, 400);
      assert.equal((await patch(port, path, 0, 'abc', {'Upload-Length': value})).status, 400);
      assert.equal(await offsetOf(port, path), 0);
    });
  }
  test('a huge length: 413; a huge offset: 409; none: 400', async () => {
    assert.equal((await tus(port, 'POST', '/files', {'Upload-Length': '9223372036854775807'})).status, 413);
    const path = await begin(port, 3);
    assert.equal((await patch(port, path, '9223372036854775807', 'abc')).status, 409);
    const none = await tus(port, 'PATCH', path, {'Content-Type': 'application/offset+octet-stream'}, 'abc');
    assert.equal(none.status, 400);
  });
  test('a body that is declared far too long: 413 at once', async () => {
    for (const length of ['50000001', '18446744073709551615']) {
      const peer = await RawPeer.connect(port);
      const answer = await peer.request(`POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\nx`);
      assert.equal(answer.status, 413);
      await peer.ended();
    }
  });
});

for (const said of ['filename not-base64', 'filename YQ=', ',', 'a YQ==,a YQ==', 'filename  YQ==', 'é YQ==']) {
  test(`metadata "${said}": 400`, async () => {
    const bytes = Buffer.from(said).toString('latin1');
    assert.equal((await tus(port, 'POST', '/files', {'Upload-Length': 1, 'Upload-Metadata': bytes})).status, 400);
  });
}

describe('bodies that never arrive', () => {
  test('a POST that stalls gets 408, and leaves nothing behind', async () => {
    const before = stored();
    const peer = await RawPeer.connect(port);
    peer.write('POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf');
    assert.equal((await peer.response()).status, 408);
    await peer.ended();
    await until(() => stored() === before, 'the end of the file');
  });

  test('many stalled bodies at once: all are ended, their descriptors freed, others served meanwhile', async () => {
    const path = await begin(port, 100);
    const peers = await Promise.all(Array.from({length: 50}, () => RawPeer.connect(port)));
    for (const [i, peer] of peers.entries()) {
      peer.write(
        i % 2
          ? 'POST /files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'
          : `PATCH ${path} HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n${chunkType}` +
              'Content-Length: 9\r\n\r\n',
      );
    }
    assert.equal((await ask(port, 'GET', innocent)).status, 200);
    for (const peer of peers) await peer.ended();
    await until(() => openDescriptors(server.pid) <= quietDescriptors, 'free descriptors');
    assert.equal(await offsetOf(port, path), 0);
  });

  test('bad chunks in a body: 400, and nothing is left behind', async () => {
    const before = stored();
    const peer = await RawPeer.connect(port);
    const head = 'POST /files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';
    assert.equal((await peer.request(`${head}3\r\nabc\r\nzz\r\n`)).status, 400);
    await peer.ended();
    await until(() => stored() <= before, 'the end of the file'); // fewer if earlier ones were removed meanwhile
  });
});

test('two PATCHes at once: one takes effect, no byte is duplicated', async () => {
  for (let round = 0; round < 20; ++round) {
    const path = await begin(port, 6);
    const send = (bytes) => patch(port, path, 0, bytes).catch(() => ({status: 0}));
    const answers = await Promise.all([send('abcdef'), send('ABCDEF'), send('uvwxyz')]);
    const good = answers.filter(({status}) => status === 204).length;
    const got = (await ask(port, 'GET', path)).body.toString();
    assert.ok(good <= 1, `${answers.map(({status}) => status)}`);
    if (good === 1) assert.ok(['abcdef', 'ABCDEF', 'uvwxyz'].includes(got), got);
    for (const {status} of answers) assert.ok([0, 204, 409].includes(status), String(status));
  }
});

test('downloads whose clients stop reading take little memory, and are aborted', async () => {
  const made = await ask(port, 'POST', '/files', {body: Buffer.alloc(50_000_000)});
  await until(() => openDescriptors(server.pid) <= quietDescriptors, 'the end of earlier connections');
  const memory = residentBytes(server.pid);
  const get = `GET ${made.headers.location} HTTP/1.1\r\nHost: h\r\n\r\n`;
  const {connect} = await import('node:net');
  const sockets = await Promise.all(
    Array.from(
      {length: 20},
      () =>
        new Promise((resolve) => {
          const socket = connect(port, '127.0.0.1', () => {
            socket.pause();
            socket.write(get);
            resolve(socket);
          });
          socket.on('error', () => {});
        }),
    ),
  );
  await until(() => openDescriptors(server.pid) >= quietDescriptors + 20, 'all of them');
  let most = 0;
  await until(() => {
    most = Math.max(most, residentBytes(server.pid) - memory);
    return openDescriptors(server.pid) <= quietDescriptors;
  }, 'the end of all downloads');
  assert.ok(most < 20 * 1_500_000, `${most} bytes for 20 downloads`);
  for (const socket of sockets) socket.destroy();
});

// A file of 100 MB as one Socket.IO message, and the effect of ten of them at once on others. Run with plain `node`.
//
// FLUX_SOCKETIO_SERVER  tests/support/socketio_server.cpp, built; required

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {Worker, isMainThread, parentPort, workerData} from 'node:worker_threads';

import {load} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const {io} = load('socket.io-client');

const fileBytes = 100_000_000;
const boundMs = 120_000;

function open(url, transports, more = {}) {
  const socket = io(url, {transports, forceNew: true, reconnection: false, timeout: boundMs, ackTimeout: boundMs, ...more});
  return within(new Promise((resolve) => socket.once('connect', () => resolve(socket))), 'connect');
}

/** Reports when it is connected, uploads when told to, reports the server's answer, and ends. */
async function upload() {
  const socket = await open(workerData.url, ['websocket']);
  parentPort.postMessage('connected');
  parentPort.once('message', async () => {
    parentPort.postMessage(await socket.emitWithAck('size', Buffer.alloc(fileBytes, 7)));
    socket.disconnect();
  });
}

if (isMainThread) {
  describe('files of 100 MB', {timeout: 4 * boundMs}, () => {
    let server; // its limit is exactly such a file
    before(async () => {
      server = await startServer(process.env.FLUX_SOCKETIO_SERVER, ['--payload-bytes', `${fileBytes}`, '--patience-ms', '60000']);
    });
    after(() => server.stop());

    test('a file is accepted over a WebSocket; one byte more is refused', async () => {
      const socket = await open(server.url, ['websocket']);
      assert.equal(await within(socket.emitWithAck('size', Buffer.alloc(fileBytes, 7)), 'the file', boundMs), fileBytes);
      const closed = within(new Promise((resolve) => socket.once('disconnect', resolve)), 'the end', boundMs);
      socket.emit('size', Buffer.alloc(fileBytes + 1, 7));
      assert.match(await closed, /^transport (close|error)$/);
    });

    test('a file is accepted over polling, as base64; one byte more is refused', async () => {
      const socket = await open(server.url, ['polling']);
      assert.equal(await within(socket.emitWithAck('size', Buffer.alloc(fileBytes, 7)), 'the file', boundMs), fileBytes);
      const closed = within(new Promise((resolve) => socket.once('disconnect', resolve)), 'the end', boundMs);
      socket.emit('size', Buffer.alloc(fileBytes + 1, 7));
      assert.match(await closed, /^transport (close|error)$/); // by its poll or by its POST, whichever fails first
    });

    // The client's XMLHttpRequest for Node copies everything it has with each piece that arrives, so 100 MB would take
    // a minute; its WebSocket accepts messages of 100 MiB, base64 included.
    for (const [name, size, transport, more] of [
      ['polling', fileBytes / 10, 'polling', {}],
      ['a WebSocket that takes no binary frames', fileBytes / 2, 'websocket', {forceBase64: true}],
    ]) {
      test(`a file of ${size / 1_000_000} MB is returned over ${name}, as base64`, async () => {
        const socket = await open(server.url, [transport], more);
        const file = Buffer.alloc(size, 'a file, again and again; ');
        const came = within(new Promise((resolve) => socket.once('echoed', (...args) => resolve(args))), 'the file', boundMs);
        socket.emit('echo', 'before', file, 'behind');
        const [before, back, behind] = await came;
        assert.ok(file.equals(back), `${back.length} bytes came back`);
        assert.deepEqual([before, behind], ['before', 'behind']);
        assert.deepEqual(await within(socket.emitWithAck('ack', 1), 'an answer', boundMs), 1);
        socket.disconnect();
      });
    }

    for (const transport of ['websocket', 'polling']) {
      test(`as much text is accepted over ${transport}, and others are served meanwhile`, async (context) => {
        const [socket, other] = [await open(server.url, [transport]), await open(server.url, ['websocket'])];
        const text = 'x'.repeat(fileBytes - 100);
        const echoed = within(socket.emitWithAck('length', text), 'the text', boundMs);
        let longest = 0;
        let waiting = true;
        const end = echoed.finally(() => (waiting = false));
        while (waiting) {
          const start = performance.now();
          await within(other.emitWithAck('ack', 1), 'an answer', boundMs);
          longest = Math.max(longest, performance.now() - start);
        }
        assert.equal(await end, text.length);
        context.diagnostic(`another client of this process waited ${longest.toFixed(1)} ms at most`);
        for (const each of [socket, other]) each.disconnect();
      });
    }

    test('ten at once: messages of another client are still served', async (context) => {
      const workers = Array.from({length: 10}, () => new Worker(new URL(import.meta.url), {workerData: {url: server.url}}));
      const heard = workers.map(() => []);
      for (const [n, worker] of workers.entries()) worker.on('message', (message) => heard[n].push(message));
      await until(() => heard.every((each) => each.length === 1), 'all connections', boundMs);
      const other = await open(server.url, ['websocket']);
      const waits = [];
      for (const worker of workers) worker.postMessage('go');
      while (!heard.every((each) => each.length === 2)) {
        const start = performance.now();
        await within(other.emitWithAck('ack', 1), 'an answer', boundMs);
        waits.push(performance.now() - start);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      for (const each of heard) assert.equal(each[1], fileBytes);
      waits.sort((a, b) => a - b);
      const at = (share) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))].toFixed(1);
      context.diagnostic(`${waits.length} messages of another client: p50 ${at(0.5)}, p99 ${at(0.99)}, p100 ${at(1)} ms`);
      assert.ok(waits.length >= 20, 'the uploads did not leave the other client its turns');
      // The wait is only a diagnostic: this process, its ten threads and whatever else runs share the machine with the
      // server. socketio_large_test.cpp measures that no turn of the server's loop is long.
      other.disconnect();
      await Promise.all(workers.map((worker) => worker.terminate()));
    });
  });
} else {
  upload();
}

// The README's client that reconnects, run as it is printed there. Run with plain `node`.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';

import {load} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const boundMs = 10_000;

/** The block of code below `<!-- run: tests/integration/reconnect.mjs -->`. */
function snippet() {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const found = readme.match(/<!-- run: tests\/integration\/reconnect\.mjs -->\n```js\n(.*?)```/s);
  assert.ok(found, 'the README has the snippet');
  return found[1];
}

/** A page at `url`. Its timers fire when the test calls `retry`. `token()` is what `freshToken` returns. */
class Page {
  joined = [];
  stops = [];
  timers = [];

  constructor(url, token) {
    // As in a browser, a failed connection is told by onclose alone.
    class BrowserSocket extends load('ws').WebSocket {
      constructor(address) {
        super(address);
        this.on('error', () => {});
      }
    }
    const names = {
      WebSocket: BrowserSocket,
      location: new URL(url),
      freshToken: async () => token(),
      join: (socket) => {
        socket.answered = new Promise((resolve) => socket.once('message', resolve));
        socket.send(JSON.stringify({type: 'join_room', payload: {roomId: 'r'}}));
        this.joined.push(socket);
      },
      stopped: (code, reason) => this.stops.push({code, reason}),
      setTimeout: (callback, wait, attempt) => this.timers.push({callback, wait, attempt}),
    };
    this.connect = new Function(...Object.keys(names), `${snippet()}\nreturn connect;`)(...Object.values(names));
  }

  /** The next connection that is open. */
  async connection() {
    await until(() => this.joined.length > 0, 'an open connection', boundMs);
    return this.joined.shift();
  }
  /** Waits until the page plans to connect again, and lets it. Resolves with the time that it would have waited. */
  async retry() {
    await until(() => this.timers.length > 0, 'a plan to connect again', boundMs);
    const {callback, wait, attempt} = this.timers.shift();
    callback(attempt);
    return wait;
  }
}

test('reconnect: after a restart of the server the page is connected again, waiting longer from attempt to attempt', async () => {
  let server = await startServer(process.env.FLUX_SERVER, ['--port', '0']);
  const port = String(server.port);
  const page = new Page(server.url, () => 'token');
  page.connect();
  assert.match((await page.connection()).url, /\/live\?access_token=token$/);
  await server.stop();
  for (const longest of [500, 1000, 2000]) {
    const wait = await page.retry(); // nothing listens there
    assert.ok(wait >= longest / 2 && wait <= longest, `waits ${wait} ms of ${longest}`);
  }
  await until(() => page.timers.length > 0, 'the third attempt failed', boundMs);
  server = await startServer(process.env.FLUX_SERVER, ['--port', port]);
  await page.retry();
  await within((await page.connection()).answered, 'the answer to the join', boundMs);
  await server.stop();
  await until(() => page.timers.length > 0, 'a plan to connect again', boundMs);
  assert.ok(page.timers[0].wait <= 500, 'after a success it begins with the shortest wait');
  assert.deepEqual(page.stops, []);
});

test('reconnect: a token that can not be fetched counts as a failed attempt', async () => {
  const server = await startServer(process.env.FLUX_SERVER, ['--port', '0']);
  const page = new Page(server.url, () => Promise.reject(new Error('offline')));
  await within(page.connect(), 'the attempt', boundMs);
  await page.connection();
  await server.stop();
});

test('reconnect: a refused page waits longer from attempt to attempt, and gives up when it is not logged in', async () => {
  const codes = [1013, 4500, 1013, 4401];
  const server = new (load('ws').WebSocketServer)({port: 0});
  server.on('connection', (socket) => socket.close(codes.shift(), 'log in first'));
  await once(server, 'listening');
  const page = new Page(`http://127.0.0.1:${server.address().port}`, () => 'token');
  page.connect();
  for (const longest of [500, 1000, 2000]) {
    const wait = await page.retry();
    assert.ok(wait >= longest / 2 && wait <= longest, `waits ${wait} ms of ${longest}`);
  }
  await until(() => page.stops.length > 0, 'the page is told', boundMs);
  assert.deepEqual(page.stops, [{code: 4401, reason: 'log in first'}]);
  assert.deepEqual(page.timers, []);
  server.close();
});

test('reconnect: a page that is closed for what it sent does not come back', async () => {
  const server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--max-message', '1000']);
  const page = new Page(server.url, () => 'token');
  page.connect();
  (await page.connection()).send('x'.repeat(2000));
  await until(() => page.stops.length > 0, 'the page is told', boundMs);
  assert.equal(page.stops[0].code, 1009);
  assert.deepEqual(page.timers, []);
  await server.stop();
});

// Engine.IO 4 and Socket.IO 5 on the wire, with plain HTTP requests and WebSocket frames: the rules of the specifications
// that the official suites test, and malformed input. Run with `node`.
//
// FLUX_CONFORMANCE_SERVER  tests/conformance/built from conformance_server.cpp; required
// FLUX_SOCKETIO_SERVER     tests/built from tests/support/socketio_server.cpp; required

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';

import {load} from '../integration/support/packages.mjs';
import {startServer} from '../integration/support/server_program.mjs';
import {until, within} from '../integration/support/wait.mjs';

const WebSocket = load('ws');

let server;
let pinging; // pings every 300 ms, and waits 200 ms for the pong
let patient;
let hasty; // allows attachments and CONNECT 500 ms

before(async () => {
  [server, pinging, patient, hasty] = await Promise.all([
    startServer(process.env.FLUX_CONFORMANCE_SERVER, ['0', '2', '25000', '20000']),
    startServer(process.env.FLUX_CONFORMANCE_SERVER, ['0', '2']),
    startServer(process.env.FLUX_SOCKETIO_SERVER, ['--threads', '2']),
    startServer(process.env.FLUX_SOCKETIO_SERVER, ['--threads', '2', '--patience-ms', '500']),
  ]);
});
after(() => Promise.all([server, pinging, patient, hasty].map((each) => each.stop())));

const query = (rest = '') => `?EIO=4&transport=polling${rest}`;
const at = (path, rest, host = server) => `${host.url}${path}/${rest}`;
const get = (path, rest, host) => within(fetch(at(path, rest, host)), 'GET');
const post = (path, rest, body, host) => within(fetch(at(path, rest, host), {method: 'POST', body}), 'POST');

async function openPolling(path = 'engine.io', host = server) {
  const answer = await get(path, query(), host);
  assert.equal(answer.status, 200);
  const text = await answer.text();
  assert.equal(text[0], '0');
  return JSON.parse(text.slice(1));
}

/** A WebSocket whose frames are read one by one. */
class Frames {
  #waiting = [];
  #frames = [];
  constructor(url) {
    this.socket = new WebSocket(url);
    this.closed = new Promise((resolve) => this.socket.on('close', (code) => resolve(code)));
    this.opened = new Promise((resolve, reject) => this.socket.on('open', resolve).on('error', reject));
    this.opened.catch(() => {});
    this.socket.on('message', (data, binary) => {
      const frame = binary ? data : data.toString();
      if (this.#waiting.length > 0) this.#waiting.shift()(frame);
      else this.#frames.push(frame);
    });
  }
  next() {
    if (this.#frames.length > 0) return Promise.resolve(this.#frames.shift());
    return within(new Promise((resolve) => this.#waiting.push(resolve)), 'a frame');
  }
  /** The next frame that is not a ping. */
  async message() {
    for (;;) {
      const frame = await this.next();
      if (frame !== '2') return frame;
      this.send('3');
    }
  }
  send(data) {
    this.socket.send(data);
  }
  end() {
    return within(this.closed, 'the end');
  }
}

const websocket = (path, rest = '', host = server) =>
  new Frames(`${host.url.replace('http', 'ws')}${path}/?EIO=4&transport=websocket${rest}`);

async function openSocketIo(host = server) {
  const frames = websocket('socket.io', '', host);
  assert.equal((await frames.next())[0], '0');
  frames.send('40');
  assert.match(await frames.message(), /^40\{"sid":"[\w-]+"\}$/);
  return frames;
}

describe('Engine.IO', () => {
  test('the handshake announces the server\'s settings', async () => {
    const open = await openPolling('engine.io', pinging);
    assert.match(open.sid, /^[\w-]{15,}$/);
    assert.deepEqual({...open, sid: ''}, {sid: '', upgrades: ['websocket'], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000});
    const frames = websocket('engine.io');
    assert.deepEqual(JSON.parse((await frames.next()).slice(1)).upgrades, []);
    frames.socket.close();
  });

  test('bad requests are refused with the code of the error', async () => {
    const {sid} = await openPolling();
    const cases = [
      ['?transport=polling', 5],
      ['?EIO=3&transport=polling', 5],
      ['?EIO=4', 0],
      ['?EIO=4&transport=pigeon', 0],
      [query('&sid=unknown'), 1],
      [query(`&sid=${sid}&j=0`), 3],
    ];
    for (const [rest, code] of cases) {
      const answer = await get('engine.io', rest);
      assert.equal(answer.status, 400, rest);
      assert.equal((await answer.json()).code, code, rest);
    }
    assert.equal((await (await post('engine.io', query(), '4a')).json()).code, 2);
    await assert.rejects(websocket('engine.io', '&sid=unknown').opened, /400/);
  });

  test('wrong sids: unknown, ended, of another endpoint, malformed, long, twice; by GET, POST and WebSocket', async () => {
    const elsewhere = await openPolling('socket.io');
    const ended = await openPolling();
    assert.equal((await post('engine.io', query(`&sid=${ended.sid}`), '1')).status, 200);
    assert.equal((await get('engine.io', query(`&sid=${ended.sid}`))).status, 200); // learns that it has ended
    const {sid} = await openPolling();
    const wrong = [
      'unknown', elsewhere.sid, ended.sid, `${sid}x`, sid.slice(1), sid.toLowerCase() === sid ? 'x' : sid.toLowerCase(),
      '%00', '%ff%fe', '..%2f..%2f', '%0d%0aX-Injected:%201', 'x'.repeat(7000), `${sid}%00`, `${sid}&sid=unknown`,
    ];
    for (const bad of wrong) {
      for (const answer of [await get('engine.io', query(`&sid=${bad}`)), await post('engine.io', query(`&sid=${bad}`), '4a')]) {
        assert.equal(answer.status, 400, bad);
        assert.equal(answer.headers.get('x-injected'), null);
        assert.equal((await answer.json()).code, 1, bad);
      }
      await assert.rejects(websocket('engine.io', `&sid=${bad}`).opened, /400/, bad);
    }
    assert.equal((await post('engine.io', query(`&sid=${sid}`), '4still here')).status, 200);
    assert.equal(await (await get('engine.io', query(`&sid=${sid}`))).text(), '4still here');
    assert.equal((await post('socket.io', query(`&sid=${elsewhere.sid}`), '40')).status, 200);
  });

  test('malformed base64 in polling payloads and text frames: the session ends', async () => {
    const long = 'A'.repeat(70_000); // decoded in portions
    const bad = ['A', 'AA', 'AAA', 'AAAA=', '=AAA', 'AA=A', 'A===', '====', 'AAA\n', 'AA-_', 'AB==', 'AAB=', `${long}A`, `${long}AA`,
      `${long.slice(4)}===`, `${'A'.repeat(65_532)}AA==${long.slice(0, 4)}`, `!${long.slice(1)}`, `${long}AAA!`];
    for (const base64 of bad) {
      const {sid} = await openPolling();
      assert.equal((await post('engine.io', query(`&sid=${sid}`), `4before\x1eb${base64}`)).status, 400, base64.slice(-8));
      assert.equal((await get('engine.io', query(`&sid=${sid}`))).status, 400, base64.slice(-8));
      const frames = websocket('engine.io', '&b64=1');
      await frames.next();
      frames.send(`b${base64}`);
      await frames.end();
    }
    const {sid} = await openPolling();
    const good = `b${long}\x1e4x\x1eb${long}AA==`;
    assert.equal((await post('engine.io', query(`&sid=${sid}`), good)).status, 200);
    // The first echo alone congests the output: the others follow after it has been polled.
    const echoes = [];
    while (echoes.join('\x1e').length < good.length) {
      const answer = await get('engine.io', query(`&sid=${sid}`));
      assert.equal(answer.status, 200);
      echoes.push(await answer.text());
    }
    assert.equal(echoes.join('\x1e'), good);
  });

  test('messages by polling: several in a payload, text and base64, both ways', async () => {
    const {sid} = await openPolling();
    const posted = await post('engine.io', query(`&sid=${sid}`), '4one\x1ebAQIDBA==\x1e4two');
    assert.equal(await posted.text(), 'ok');
    assert.equal(await (await get('engine.io', query(`&sid=${sid}`))).text(), '4one\x1ebAQIDBA==\x1e4two');
  });

  test('bad payloads and packets, two polls at once, two posts at once: the session ends', async () => {
    for (const body of ['', 'x', '4a\x1e', '4a\x1e\x1e4b', 'b!!!', '9', '4\xff']) {
      const {sid} = await openPolling();
      const bytes = body === '4\xff' ? new Uint8Array([0x34, 0xff]) : body;
      assert.equal((await post('engine.io', query(`&sid=${sid}`), bytes)).status, 400, JSON.stringify(body));
      assert.equal((await get('engine.io', query(`&sid=${sid}`))).status, 400);
    }
    const {sid} = await openPolling();
    const polls = await Promise.all([get('engine.io', query(`&sid=${sid}`)), get('engine.io', query(`&sid=${sid}`))]);
    assert.ok(polls.some((poll) => poll.status === 400));
    for (const one of ['4' + 'x'.repeat(1_000_000), 'b' + Buffer.alloc(1_000_001).toString('base64')]) {
      const long = await openPolling();
      assert.equal((await post('engine.io', query(`&sid=${long.sid}`), one)).status, 413);
      assert.equal((await get('engine.io', query(`&sid=${long.sid}`))).status, 400);
    }
    const atLimit = await openPolling();
    assert.equal((await post('engine.io', query(`&sid=${atLimit.sid}`), 'b' + Buffer.alloc(1_000_000).toString('base64'))).status, 200);
  });

  test('pings: a client that answers stays, one that does not is closed', async () => {
    const alive = websocket('engine.io', '', pinging);
    await alive.next();
    for (let n = 0; n < 3; ++n) {
      assert.equal(await alive.next(), '2');
      alive.send('3');
    }
    alive.socket.close();
    const silent = websocket('engine.io', '', pinging);
    await silent.end();
    const {sid} = await openPolling('engine.io', pinging);
    await until(async () => (await get('engine.io', query(`&sid=${sid}`), pinging)).status === 400, 'the timeout');
  });

  test('the upgrade: the probe, pending packets, the pending poll; no second WebSocket', async () => {
    for (let n = 0; n < 4; ++n) {  // the WebSocket arrives on either loop
      const {sid} = await openPolling();
      const frames = websocket('engine.io', `&sid=${sid}`);
      await frames.opened;
      frames.send('2probe');
      assert.equal(await frames.next(), '3probe');
      const poll = await get('engine.io', query(`&sid=${sid}`));
      assert.equal(await poll.text(), '6');
      await post('engine.io', query(`&sid=${sid}`), '4before');
      frames.send('5');
      assert.equal(await frames.message(), '4before');
      frames.send('4after');
      assert.equal(await frames.message(), '4after');
      assert.equal((await get('engine.io', query(`&sid=${sid}`))).status, 400);
      const second = websocket('engine.io', `&sid=${sid}`);
      await second.end();
      frames.send('4still');
      assert.equal(await frames.message(), '4still');
      frames.socket.close();
    }
  });

  test('a WebSocket that does not probe is closed; the session continues', async () => {
    const {sid} = await openPolling();
    const frames = websocket('engine.io', `&sid=${sid}`);
    await frames.opened;
    frames.send('4not a probe');
    await frames.end();
    assert.equal((await post('engine.io', query(`&sid=${sid}`), '4a')).status, 200);
  });

  test('CORS headers', async () => {
    const answer = await fetch(at('engine.io', query()), {headers: {origin: 'https://a.example'}});
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    const preflight = await fetch(at('engine.io', query()), {method: 'OPTIONS', headers: {'access-control-request-headers': 'x-a'}});
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get('access-control-allow-headers'), 'x-a');
  });
});

describe('Socket.IO', () => {
  test('CONNECT, its payload, a namespace, an unknown one; events and acks', async () => {
    const frames = websocket('socket.io');
    await frames.next();
    frames.send('40/custom,{"token":"x"}');
    assert.match(await frames.message(), /^40\/custom,\{"sid":"[\w-]+"\}$/);
    assert.equal(await frames.message(), '42/custom,["auth",{"token":"x"}]');
    frames.send('40/nowhere');
    assert.equal(await frames.message(), '44/nowhere,{"message":"Invalid namespace"}');
    frames.send('42/custom,["message",1,"2",{"3":[]}]');
    assert.equal(await frames.message(), '42/custom,["message-back",1,"2",{"3":[]}]');
    frames.send('42/custom,456["message-with-ack",1]');
    assert.equal(await frames.message(), '43/custom,456[1]');
    frames.send('41/custom,');
    frames.send('42/custom,["message",1]'); // it has left that namespace
    await frames.end();
  });

  test('binary events and acks', async () => {
    const frames = await openSocketIo();
    assert.equal(await frames.message(), '42["auth",{}]');
    frames.send('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    frames.send(Buffer.from([1, 2]));
    frames.send(Buffer.from([3]));
    assert.equal(await frames.message(), '452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    assert.deepEqual([...(await frames.message())], [1, 2]);
    assert.deepEqual([...(await frames.message())], [3]);
    frames.send('451-7["message-with-ack",{"_placeholder":true,"num":0}]');
    frames.send(Buffer.from([9]));
    assert.equal(await frames.message(), '461-7[{"_placeholder":true,"num":0}]');
    assert.deepEqual([...(await frames.message())], [9]);
    frames.socket.close();
  });

  test('malformed packets, attachments that were not announced or too many, second CONNECTs: the connection ends', async () => {
    const bad = [
      'x', '4', '49', '42', '42{}', '42[]', '42["a"', '42[1.5.2]', '43[1]', '44', '40', '42/other,["a"]',
      '4599999999-["a"]', '451-["a"]', '450-["a",{"_placeholder":true,"num":0}]', '452-["a",{"_placeholder":true,"num":0}]',
      '42["connect"]', '42["disconnect"]', '40{', '40[]', '42' + '['.repeat(200), Buffer.from([1]), '4\x1e',
    ];
    for (const packet of bad) {
      const frames = await openSocketIo();
      frames.send(packet);
      await frames.end().catch((error) => assert.fail(`${packet}: ${error.message}`));
    }
    const between = await openSocketIo();
    between.send('451-["message",{"_placeholder":true,"num":0}]');
    between.send('42["message"]');
    await between.end();
  });

  test('malformed packets in payloads: earlier packets take effect, the session ends', async () => {
    for (const bad of ['4', '4x', '42["a"', '451-["message"]', 'bAAAA', '40', '42["disconnect"]', '4\x1e']) {
      const {sid} = await openPolling('socket.io', patient);
      await post('socket.io', query(`&sid=${sid}`), '40', patient);
      const poll = get('socket.io', query(`&sid=${sid}`), patient);
      assert.match(await (await poll).text(), /^40/);
      await post('socket.io', query(`&sid=${sid}`), `42["echo","first"]\x1e${bad}\x1e42["echo","last"]`, patient);
      const rest = await (await get('socket.io', query(`&sid=${sid}`), patient)).text();
      assert.ok(!rest.includes('last'), bad);
      assert.equal((await get('socket.io', query(`&sid=${sid}`), patient)).status, 400, bad);
    }
  });

  test('attachments: fewer or more than announced, or text instead of one, over polling as well', async () => {
    const event = '451-["echo",{"_placeholder":true,"num":0}]';
    for (const payload of [`${event}\x1ebAAAA\x1ebAAAA`, `${event}\x1e42["echo",1]`, `${event}\x1e${event}`, 'bAAAA']) {
      const {sid} = await openPolling('socket.io', patient);
      await post('socket.io', query(`&sid=${sid}`), '40', patient);
      await get('socket.io', query(`&sid=${sid}`), patient);
      await post('socket.io', query(`&sid=${sid}`), payload, patient);
      await get('socket.io', query(`&sid=${sid}`), patient);
      assert.equal((await get('socket.io', query(`&sid=${sid}`), patient)).status, 400, payload);
    }
    for (const attachments of [0, 2]) {
      const frames = await openSocketIo(attachments === 0 ? hasty : patient);
      frames.send(event);
      for (let n = 0; n < attachments; ++n) frames.send(Buffer.from([n]));
      await frames.end();
    }
  });

  test('acks that the server did not request are ignored', async () => {
    const frames = await openSocketIo();
    frames.send('439007199254740991["x"]');
    frames.send('42["message",1]');
    for (let frame = ''; !frame.startsWith('42["message-back"'); ) frame = await frames.message();
    frames.socket.close();
  });

  test('a client that does not CONNECT, or never sends its attachments, is closed', async () => {
    const lazy = websocket('socket.io', '', hasty);
    await lazy.end();
    const stingy = await openSocketIo(hasty);
    stingy.send('451-["echo",{"_placeholder":true,"num":0}]');
    await stingy.end();
  });

  test('volatile emits without a pending poll are dropped; others wait', async () => {
    const {sid} = await openPolling('socket.io', patient);
    await post('socket.io', query(`&sid=${sid}`), '40', patient);
    await get('socket.io', query(`&sid=${sid}`), patient);
    await post('socket.io', query(`&sid=${sid}`), '42["volatile","x"]', patient);
    assert.equal(await (await get('socket.io', query(`&sid=${sid}`), patient)).text(), '42["volatile done"]');
  });
});

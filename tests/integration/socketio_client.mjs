// The Socket.IO server as socket.io-client sees it: over polling, over WebSocket, and with an upgrade between them. Run
// with plain `node`.
//
// FLUX_SOCKETIO_SERVER  tests/support/socketio_server.cpp, built; required

import assert from 'node:assert/strict';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import net from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, afterEach, before, describe, test} from 'node:test';

import {makeCertificate} from './support/certificate.mjs';
import {load} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const {io, Manager} = load('socket.io-client');

const ways = {
  polling: {transports: ['polling']},
  websocket: {transports: ['websocket']},
  upgrade: {transports: ['polling', 'websocket']},
};

let server; // two event loops: polls, WebSockets and sessions may be on different ones
const others = [];
const sockets = [];

before(async () => {
  server = await startServer(process.env.FLUX_SOCKETIO_SERVER, ['--threads', '2']);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.disconnect();
});
after(async () => {
  await Promise.all([server, ...others].map((each) => each.stop()));
});

async function another(...args) {
  const started = await startServer(process.env.FLUX_SOCKETIO_SERVER, args);
  others.push(started);
  return started;
}

function open(options = ways.websocket, nsp = '/', at = server) {
  const socket = io(at.url.slice(0, -1) + nsp, {forceNew: true, reconnection: false, ...options});
  sockets.push(socket);
  return socket;
}

/** Opens namespaces on one connection. */
function oneConnection(options = {}) {
  const manager = new Manager(server.url, {...ways.websocket, reconnection: false, ...options});
  return (nsp, auth) => {
    const socket = manager.socket(nsp, {auth});
    sockets.push(socket);
    return socket;
  };
}

/** The arguments of the next `event`. */
const next = (socket, event, boundMs) =>
  within(new Promise((resolve) => socket.once(event, (...args) => resolve(args))), event, boundMs);

async function connect(options, nsp, at) {
  const socket = open(options, nsp, at);
  await next(socket, 'connect');
  return socket;
}

const upgraded = (socket) => until(() => socket.io.engine?.transport.name === 'websocket', 'the upgrade');
const ask = (socket, ...args) => within(socket.timeout(5000).emitWithAck(...args), args[0]);

/** Collects the `news` that a socket receives; `settle` waits until everything sent before has arrived. */
function reader(socket) {
  const news = [];
  socket.on('news', (...args) => news.push(args));
  return {
    news,
    async settle() {
      socket.emit('echo', 'settled');
      await next(socket, 'echoed');
      return news.splice(0);
    },
  };
}

for (const [way, options] of Object.entries(ways)) {
  describe(`over ${way}`, () => {
    test('events: JSON of every kind, in both directions, in order', async () => {
      const socket = await connect(options);
      const args = [null, true, -1.5, 'ü€😀\u2028', [[], {}], {a: {b: [1, 'x']}}, ''];
      socket.emit('echo', ...args);
      assert.deepEqual(await next(socket, 'echoed'), args);
      const seen = [];
      socket.on('echoed', (n) => seen.push(n));
      for (let n = 0; n < 300; ++n) socket.emit('echo', n);
      await until(() => seen.length === 300, 'all of them');
      assert.deepEqual(seen, [...Array(300).keys()]);
    });

    test('events: a string that was cut inside a surrogate pair is sent with U+FFFD', async () => {
      const socket = await connect(options);
      const args = ['\u{1f600}'.slice(0, 1), {['\u{1f600}x'.slice(1)]: ['\udc00 \ud800']}, '\u{1f600}'];
      socket.emit('echo', ...args);
      assert.deepEqual(await next(socket, 'echoed'), ['\ufffd', {'\ufffdx': ['\ufffd \ufffd']}, '\u{1f600}']);
      socket.emit('echo', '\ud83d', Buffer.from([1]));
      const [half, bytes] = await next(socket, 'echoed');
      assert.equal(half, '\ufffd');
      assert.deepEqual([...bytes], [1]);
    });

    test('events: binary, nested, in both directions', async () => {
      const socket = await connect(options);
      const big = Buffer.alloc(70_000, 7);
      socket.emit('echo', {deep: [Buffer.from([0, 255, 4]), {more: big}]}, Buffer.from([1]), 'text');
      const [nested, bytes, text] = await next(socket, 'echoed');
      assert.deepEqual([...nested.deep[0]], [0, 255, 4]);
      assert.ok(big.equals(Buffer.from(nested.deep[1].more)));
      assert.deepEqual([...bytes], [1]);
      assert.equal(text, 'text');
      socket.emit('bytes', {deep: [Buffer.from([1, 2, 3])]});
      const [made, plain, behind] = await next(socket, 'bytes');
      assert.deepEqual([...made.in[0]], [3, 2, 1]);
      assert.deepEqual([...plain], [3, 2, 1]);
      assert.equal(behind, 'after');
    });

    test('acknowledgments: ours, now, later, once, with binary', async () => {
      const socket = await connect(options);
      assert.equal(await ask(socket, 'ack', 'x'), 'x');
      assert.deepEqual([...(await ask(socket, 'ack', Buffer.from([9, 8])))], [9, 8]);
      assert.deepEqual(await ask(socket, 'ack later', {a: 1}), {a: 1});
      assert.equal(await ask(socket, 'ack twice'), 'first');
      await assert.rejects(socket.timeout(100).emitWithAck('nobody handles this'), /timed out/);
    });

    test("acknowledgments: those of the client, and none in time", async () => {
      const socket = await connect(options);
      socket.on('question', (what, answer) => answer(what, Buffer.from([5])));
      socket.emit('ask me', 5000, 'why?');
      const [why, bytes] = await next(socket, 'answered');
      assert.equal(why, 'why?');
      assert.deepEqual([...bytes], [5]);
      socket.off('question');
      socket.emit('ask me', 50, 'why?');
      assert.deepEqual(await next(socket, 'unanswered'), ['overloaded']);
    });

    test('rooms: to, in, except, broadcast, everyone; each socket once', async () => {
      const [ada, ben, cat] = await Promise.all([connect(options), connect(options), connect(options)]);
      const readers = [ada, ben, cat].map(reader);
      const room = `room ${way}`;
      const second = `second ${way}`;
      /** What each of the three receives when ada requests it. */
      const after = async (...args) => {
        ada.emit(...args);
        await ask(ada, 'ack', 0); // by then it has been sent to all
        return Promise.all(readers.map((each) => each.settle()));
      };
      for (const socket of [ada, ben]) assert.equal(await ask(socket, 'join', room), 'joined');
      for (const socket of [ben, cat]) assert.equal(await ask(socket, 'join', second), 'joined');
      assert.deepEqual(await new Promise((done) => ada.emit('rooms', (...rooms) => done(rooms))), [ada.id, room]);

      const it = [['it']];
      assert.deepEqual(await after('in', room, 'it'), [it, it, []]);
      assert.deepEqual(await after('to', room, 'it'), [[], it, []]);
      assert.deepEqual(await after('in two', room, second, 'it'), [it, it, it]);
      assert.deepEqual(await after('in', ben.id, 'it'), [[], it, []]);
      assert.deepEqual(await after('except', room, 'it'), [[], [], it]);
      assert.deepEqual(await after('except', ben.id, 'it'), [it, [], it]);
      assert.deepEqual(await after('broadcast', 'it'), [[], it, it]);
      assert.deepEqual(await after('all', 'it'), [it, it, it]);
      assert.deepEqual(await after('in', 'nobody is here', 'it'), [[], [], []]);
      const bytes = await after('in', room, {deep: Buffer.from([1, 2])});
      for (const [[value]] of bytes.slice(0, 2)) assert.deepEqual([...value.deep], [1, 2]);

      await ask(ben, 'leave', room);
      assert.deepEqual(await after('in', room, 'it'), [it, [], []]);
      cat.disconnect();
      await until(async () => (await ask(ada, 'anyone', cat.id ?? 'gone')) === false, 'cat to go');
      ada.emit('in', second, 'it');
      await ask(ada, 'ack', 0);
      assert.deepEqual(await readers[1].settle(), it);
    });

    test('rooms: narrowing an audience does not change the original', async () => {
      const [ada, ben] = await Promise.all([connect(options), connect(options)]);
      const readers = [ada, ben].map(reader);
      const room = `narrowed ${way}`;
      for (const socket of [ada, ben]) await ask(socket, 'join', room);
      ada.emit('in, then all but', room, ben.id);
      await ask(ada, 'ack', 0);
      assert.deepEqual(await Promise.all(readers.map((each) => each.settle())), [[['but'], ['all']], [['all']]]);
    });

    test('handlers: once, off, and middlewares that run before them', async () => {
      const socket = await connect(options);
      await ask(socket, 'listen once');
      assert.equal(await ask(socket, 'once'), 'the only time');
      await assert.rejects(socket.timeout(100).emitWithAck('once'), /timed out/);
      assert.equal(await ask(socket, 'ack', 1), 1);
      await ask(socket, 'stop', 'ack');
      await assert.rejects(socket.timeout(100).emitWithAck('ack', 1), /timed out/);
      const guarded = (how) => new Promise((done) => socket.emit('guarded', how, (...answer) => done(answer)));
      assert.deepEqual(await guarded('pass'), ['handled']);
      assert.deepEqual(await guarded('later'), ['handled']);
      assert.deepEqual(await guarded('refuse'), ['guarded', 'not you', [1]]);
      assert.deepEqual(await guarded('second'), ['guarded', 'the second one', null]);
      assert.deepEqual(await guarded('throw'), ['guarded', 'the server failed to handle this event', null]);
      assert.deepEqual(await guarded('ignore'), ['guarded', 'nobody answered', null]);
    });

    test('acknowledgments of a room: all answers, or those received in time and an error', async () => {
      const [ada, ben, cat] = await Promise.all([connect(options), connect(options), connect(options)]);
      const room = `asked ${way}`;
      const askRoom = (...args) => new Promise((done) => ada.emit('ask room', room, ...args, (...all) => done(all)));
      assert.deepEqual(await askRoom(5000, 'anybody?'), [null]);
      for (const socket of [ada, ben, cat]) await ask(socket, 'join', room);
      ben.on('question', (what, answer) => answer(`ben: ${what}`));
      cat.on('question', (what, answer) => answer(`cat: ${what}`));
      const [missing, ...answers] = await askRoom(5000, 'who?');
      assert.equal(missing, null);
      assert.deepEqual(answers.sort(), ['ben: who?', 'cat: who?']);
      cat.off('question');
      assert.deepEqual(await askRoom(2000, 'who?'), ['overloaded', 'ben: who?']); // time enough for ben
      const left = askRoom(20000, 'who?');
      await ask(cat, 'ack', 0); // by now it has received the question
      cat.disconnect();
      assert.deepEqual(await within(left, 'the answers'), ['session_not_found', 'ben: who?']);
    });

    test('rooms: all members of one join another, and leave it', async () => {
      const [ada, ben] = await Promise.all([connect(options), connect(options)]);
      const [room, other] = [`from ${way}`, `to ${way}`];
      await ask(ben, 'join', room);
      await ask(ada, 'all join', room, other);
      const rooms = () => new Promise((done) => ben.emit('rooms', (...all) => done(all)));
      assert.deepEqual(await rooms(), [ben.id, room, other]);
      await ask(ada, 'all leave', room, other);
      assert.deepEqual(await rooms(), [ben.id, room]);
    });

    test('ends: a socket is still in its rooms when its disconnecting handler runs', async () => {
      const [ada, ben] = await Promise.all([connect(options), connect(options)]);
      const room = `last ${way}`;
      for (const socket of [ada, ben]) await ask(socket, 'join', room);
      const {id} = ben;
      const leaving = next(ada, 'leaving');
      ben.disconnect();
      assert.deepEqual(await leaving, [id]);
      assert.equal(await until(() => ask(ada, 'reason of', `rooms of ${id}`), 'its rooms'), `${room};`);
      assert.equal(await until(() => ask(ada, 'reason of', `rooms then of ${id}`), 'the end'), '0');
    });

    test('many at once: nothing is lost or out of order while the transport may change', async () => {
      const listeners = await Promise.all(Array.from({length: 5}, () => connect(options)));
      const room = `many ${way}`;
      const seen = listeners.map(() => []);
      for (const [n, socket] of listeners.entries()) {
        socket.on('news', (value) => seen[n].push(value));
        await ask(socket, 'join', room);
      }
      const talker = await connect(options);
      for (let n = 0; n < 500; ++n) talker.emit('in', room, n);
      await until(() => seen.every((each) => each.length >= 500), 'all of them');
      for (const each of seen) assert.deepEqual(each, [...Array(500).keys()]);
    });

    test('ends: the server disconnects and closes; its earlier messages arrive first', async () => {
      for (const [event, reason] of [['disconnect me', 'server namespace disconnect'], ['close me', 'server namespace disconnect']]) {
        const socket = await connect(options);
        const {id} = socket;
        const words = next(socket, 'last words');
        const left = next(socket, 'disconnect');
        socket.emit(event);
        await words;
        assert.equal((await left)[0], 'io server disconnect');
        const witness = await connect(options);
        assert.equal(await until(() => ask(witness, 'reason of', id), 'the reason'), reason);
      }
    });

    test('ends: the client disconnects; its connection breaks', async () => {
      const witness = await connect(options);
      const socket = await connect(options);
      const {id} = socket;
      socket.disconnect();
      assert.equal(await until(() => ask(witness, 'reason of', id), 'the reason'), 'client namespace disconnect');
      const broken = await connect(options);
      const {id: brokenId} = broken;
      if (way === 'upgrade') await upgraded(broken);
      broken.io.engine.close();
      assert.equal(await until(() => ask(witness, 'reason of', brokenId), 'the reason'), 'transport close');
    });
  });
}

describe('the upgrade', () => {
  test('happens, on whichever loop the WebSocket arrives, and loses nothing', async () => {
    await Promise.all(
      Array.from({length: 16}, async () => {
        const socket = await connect(ways.upgrade);
        const seen = [];
        socket.on('echoed', (n) => seen.push(n));
        let n = 0;
        const talk = setInterval(() => socket.emit('echo', n++), 1);
        await upgraded(socket);
        await until(() => n >= 100, 'some more');
        clearInterval(talk);
        await until(() => seen.length === n, 'all answers');
        assert.deepEqual(seen, [...Array(n).keys()]);
      }),
    );
  });

  test('is known to the socket', async () => {
    const socket = await connect(ways.polling);
    assert.equal(await ask(socket, 'transport'), 'polling');
    const other = await connect(ways.upgrade);
    await upgraded(other);
    assert.equal(await until(async () => (await ask(other, 'transport')) === 'websocket' && 'websocket', 'it'), 'websocket');
  });

  test('pings continue after it', async () => {
    const socket = await connect(ways.upgrade, '/', await another('--threads', '2', '--ping-ms', '300'));
    await upgraded(socket);
    await next(socket.io, 'ping');
    await next(socket.io, 'ping');
    assert.ok(socket.connected);
  });
});

describe('the transports', () => {
  /** A polling session in the main namespace, and a socket that can be asked about it. */
  async function poller() {
    const url = new URL(`${server.url}socket.io/?EIO=4&transport=polling`);
    const {sid} = JSON.parse((await (await fetch(url)).text()).slice(1));
    url.searchParams.set('sid', sid);
    await fetch(url, {method: 'POST', body: '40'});
    const welcome = await (await fetch(url)).text();
    const target = url.pathname + url.search;
    return {target, id: JSON.parse(welcome.split('\x1e')[0].slice(2)).sid, witness: await connect()};
  }
  const send = (text) =>
    within(
      new Promise((resolve, reject) => {
        const peer = net.connect(server.port, '127.0.0.1', () => peer.write(text, () => resolve(peer)));
        peer.once('error', reject);
        sockets.push({disconnect: () => peer.destroy()});
      }),
      'a connection',
    );
  const reasonOf = ({id, witness}) => until(() => ask(witness, 'reason of', id), 'the reason');

  test('subprotocols that a WebSocket offers: the first is selected', async () => {
    for (const options of [ways.websocket, ways.upgrade]) {
      const socket = await connect({...options, protocols: ['one', 'two']});
      await upgraded(socket);
      assert.equal(socket.io.engine.transport.ws.protocol, 'one');
    }
  });

  test('a client that closes while it polls ends at once, as does one that aborts a POST', async () => {
    const polling = await poller(); // nothing is sent to it, nor is it pinged: its poll stays open until it closes
    const peer = await send(`GET ${polling.target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.equal(await ask(polling.witness, 'reason of', polling.id), '');
    peer.end();
    assert.equal(await reasonOf(polling), 'transport error');
    const posting = await poller();
    (await send(`POST ${posting.target} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n42["echo"`)).end();
    assert.equal(await reasonOf(posting), 'transport error');
  });

  test('a message that is too long over a WebSocket: transport error', async () => {
    const [witness, socket] = await Promise.all([connect(), connect()]);
    const {id} = socket;
    socket.emit('echo', 'x'.repeat(1_000_001));
    await next(socket, 'disconnect');
    assert.equal(await reasonOf({id, witness}), 'transport error');
  });

  test('polled responses are not cached', async () => {
    const {target} = await poller();
    const url = new URL(target, server.url);
    const answers = [await fetch(url, {method: 'POST', body: '42["echo"]'}), await fetch(url)];
    for (const answer of answers) assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(await answers[1].text(), '42["echoed"]');
  });

  test('a path is the same with and without a trailing slash', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'flux-socketio-'));
    try {
      const bundle = path.join(folder, 'bundle.js');
      await writeFile(bundle, '// the client');
      for (const spelled of ['/own', '/own/']) {
        const at = await another('--path', spelled, '--client-file', bundle);
        for (const options of Object.values(ways)) {
          for (const addTrailingSlash of [true, false]) {
            const socket = await connect({...options, path: '/own', addTrailingSlash}, '/', at);
            if (options === ways.upgrade) await upgraded(socket);
          }
        }
        assert.equal(await (await fetch(`${at.url}own/socket.io.js`)).text(), '// the client');
      }
    } finally {
      await rm(folder, {recursive: true});
    }
  });
});

describe('namespaces and middlewares', () => {
  const error = async (nsp, auth, at) => (await next(open({...ways.websocket, auth}, nsp, at), 'connect_error'))[0];
  /** Waits until the socket is alone in its namespace: others may still be disconnecting. */
  const alone = (socket) =>
    until(async () => (await new Promise((done) => socket.emit('members', '', (...sizes) => done(sizes))))[1] === 1, 'to be alone');

  test('several on one connection; each has the handshake', async () => {
    const opens = oneConnection({query: {token: 'q'}, extraHeaders: {'x-test': 'h'}});
    const [main, other] = [opens('/', {a: 1}), opens('/other', {b: 2})];
    await Promise.all([next(main, 'connect'), next(other, 'connect')]);
    assert.notEqual(main.id, other.id);
    const handshake = await new Promise((done) => other.emit('handshake', (...args) => done(args)));
    assert.deepEqual(handshake, [{b: 2}, 'q', 'h', '127.0.0.1:']);
    other.disconnect();
    assert.equal(await ask(main, 'ack', 'still here'), 'still here');
  });

  test('an unknown one is refused, the connection stays open', async () => {
    const opens = oneConnection();
    const main = opens('/');
    const [refusal] = await next(opens('/missing'), 'connect_error');
    assert.equal(refusal.message, 'Invalid namespace');
    assert.equal(await ask(main, 'ack', 1), 1);
  });

  test('middlewares accept, also later, and pass data on', async () => {
    const socket = await connect({...ways.polling, auth: {name: 'ada'}}, '/named');
    assert.equal(await ask(socket, 'data').catch(() => 'no'), 'ada');
  });

  test('middlewares refuse: at once with data, later, the second one, by throwing, by silence', async () => {
    const bare = await error('/named', {});
    assert.equal(bare.message, 'no name');
    assert.deepEqual(bare.data, {wants: ['name']});
    assert.equal((await error('/named', {name: 'late refused'})).message, 'thought about it');
    assert.equal((await error('/named', {name: 'second refused'})).message, 'the second one');
    assert.equal((await error('/named', {name: 'thrower'})).message, 'the server failed to handle this connection');
    assert.equal((await error('/named', {name: 'ignored'})).message, 'nobody answered');
  });

  test('middlewares may join a client to rooms', async () => {
    const socket = await connect({...ways.websocket, auth: {name: 'joiner'}}, '/named');
    assert.deepEqual(await new Promise((done) => socket.emit('rooms', (...rooms) => done(rooms))), [socket.id, 'joined while asked']);
    const news = next(socket, 'news');
    socket.emit('in', 'joined while asked', 'it');
    assert.deepEqual(await news, ['it']);
  });

  test('a name with a query is another name', async () => {
    const opens = oneConnection();
    const other = opens('/other');
    await next(other, 'connect');
    const [refusal] = await next(opens('/other?token=1'), 'connect_error');
    assert.equal(refusal.message, 'Invalid namespace');
    assert.equal(await ask(other, 'ack', 1), 1);
  });

  test('a client that reconnects before its answer is asked about again, and exists once', async () => {
    const opens = oneConnection();
    const main = opens('/');
    await next(main, 'connect');
    const named = opens('/named', {name: 'late refused'});
    const answers = [];
    for (const event of ['connect', 'connect_error']) named.on(event, () => answers.push(event));
    named.disconnect().connect().disconnect(); // the first question is answered with no, later
    named.auth = {name: 'ada'};
    named.connect();
    await next(named, 'connect');
    assert.equal(await new Promise((done) => named.emit('data', done)), 'ada');
    assert.deepEqual(await new Promise((done) => named.emit('members', '', (...sizes) => done(sizes))), [0, 1]);
    assert.deepEqual(answers, ['connect']);
    assert.equal(await ask(main, 'ack', 'still here'), 'still here');
  });

  test('a client that reconnects again and again is asked about only a few times', async () => {
    const opens = oneConnection();
    const main = opens('/');
    await next(main, 'connect');
    const named = opens('/named', {name: 'slow'}); // so that none is answered before all are asked
    const refused = next(named, 'connect_error');
    for (let n = 0; n < 10; ++n) named.disconnect().connect();
    assert.equal((await refused)[0].message, 'Too many namespaces');
    assert.equal(await ask(main, 'ack', 'still here'), 'still here');
  });

  test('a client that disconnects before its answer does no harm', async () => {
    for (let n = 0; n < 10; ++n) {
      const socket = open({...ways.websocket, auth: {name: 'ada'}}, '/named');
      await next(socket.io, 'open');
      socket.io.engine.close();
    }
    const socket = await connect({...ways.websocket, auth: {name: 'ada'}}, '/named');
    await alone(socket);
  });

  test('a predicate creates them; they are separate, and end with their last client', async () => {
    const [ada, ben] = await Promise.all([connect(ways.websocket, '/room-1'), connect(ways.polling, '/room-2')]);
    const heard = reader(ben);
    ada.emit('all', 'x');
    await ask(ada, 'ack', 0);
    assert.deepEqual(await heard.settle(), []);
    ada.disconnect();
    await alone(await connect(ways.upgrade, '/room-1'));
  });

  test('too many on one connection, too many rooms: refused', async () => {
    const opens = oneConnection();
    const main = opens('/');
    for (const nsp of ['/other', '/room-a', '/room-b']) await next(opens(nsp), 'connect');
    const [refusal] = await next(opens('/room-c'), 'connect_error');
    assert.equal(refusal.message, 'Too many namespaces');
    for (const room of ['1', '2', '3']) assert.equal(await ask(main, 'join', room), 'joined');
    assert.equal(await ask(main, 'join', '4'), 'limit_exceeded');
    assert.equal(await ask(main, 'join', '3'), 'joined');
    assert.equal(await ask(main, 'join', ''), 'invalid_argument');
  });
});

describe('TLS and CORS', () => {
  test('the upgrade under TLS, on whichever loop the WebSocket arrives', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'flux-socketio-'));
    try {
      const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => path.join(folder, name));
      const ca = makeCertificate(certificate, key, 'localhost');
      const at = await another('--threads', '2', '--certificate', certificate, '--key', key);
      await Promise.all(
        Array.from({length: 6}, async () => {
          const socket = await connect({...ways.upgrade, ca}, '/', at);
          const seen = [];
          socket.on('echoed', (value) => seen.push(value));
          for (let n = 0; n < 50; ++n) socket.emit('echo', n);
          await upgraded(socket);
          for (let n = 50; n < 100; ++n) socket.emit('echo', n);
          await until(() => seen.length === 100, 'all answers');
          assert.deepEqual(seen, [...Array(100).keys()]);
          assert.equal(await ask(socket, 'size', Buffer.alloc(900_000)), 900_000);
        }),
      );
    } finally {
      await rm(folder, {recursive: true});
    }
  });

  test('credentials are only for pages of named origins', async () => {
    const at = await another('--cors-with-credentials', 'https://app.example');
    const answer = (origin) => fetch(`${at.url}socket.io/?EIO=4&transport=polling`, {headers: {origin}});
    const allowed = (await answer('https://app.example')).headers;
    assert.equal(allowed.get('access-control-allow-origin'), 'https://app.example');
    assert.equal(allowed.get('access-control-allow-credentials'), 'true');
    assert.match(allowed.get('vary'), /origin/i);
    const other = (await answer('https://other.example')).headers;
    assert.match(other.get('vary'), /origin/i); // a cache must not give this response to allowed origins
    assert.equal(other.get('access-control-allow-origin'), null);
    assert.equal(other.get('access-control-allow-credentials'), null);
  });
});

describe('the application', () => {
  test('a handler that throws, an event that no client can send: the client stays connected', async () => {
    const socket = await connect();
    socket.emit('throw');
    assert.equal(await ask(socket, 'bad emits'), 'invalid_argument');
  });
});

describe('reconnection and recovery', () => {
  const again = {...ways.websocket, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50};

  test('a client reconnects by itself, as a new one', async () => {
    const socket = await connect(again);
    const first = socket.id;
    socket.io.engine.close();
    await next(socket, 'connect');
    assert.notEqual(socket.id, first);
    assert.ok(!socket.recovered);
  });

  /** Cuts the connection and waits until the server has noticed; `socket.connect()` reconnects the client. */
  async function cutOff(socket, witness) {
    const {id} = socket;
    socket.io.reconnection(false);
    socket.io.engine.close();
    await until(async () => (await ask(witness, 'anyone', id)) === false, 'the end');
    return id;
  }

  async function comeBack(socket) {
    const back = next(socket, 'connect');
    socket.connect();
    await back;
  }

  test('with recovery it gets back its id, rooms, data and missed events', async () => {
    const at = await another('--recovery-ms', '60000', '--threads', '2');
    for (const options of Object.values(ways)) {
      const [ada, ben] = await Promise.all([connect(options, '/', at), connect(options, '/', at)]);
      const heard = reader(ada);
      await ask(ada, 'join', 'in it');
      await ask(ada, 'set data', {seat: 4});
      ben.emit('in', 'in it', 'before');
      await until(() => heard.news.length === 1, 'the first');
      const id = await cutOff(ada, ben);
      ben.emit('in', 'in it', 'missed', Buffer.from([1, 2, 3]));
      ben.emit('in', 'elsewhere', 'not for her');
      ben.emit('in', id, 'for her alone');
      ben.emit('except', 'in it', 'not for her either');
      ben.emit('all', 'for all');
      await ask(ben, 'ack', 0);
      await comeBack(ada);
      assert.equal(ada.recovered, true);
      assert.equal(ada.id, id);
      await until(() => heard.news.length >= 4, 'what was missed');
      const values = heard.news.map(([value]) => value);
      assert.deepEqual(values, ['before', 'missed', 'for her alone', 'for all']);
      assert.deepEqual([...heard.news[1][1]], [1, 2, 3]);
      assert.deepEqual(await new Promise((done) => ada.emit('data', (...args) => done(args))), [{seat: 4}, true]);
      ben.emit('in', 'in it', 'now');
      await until(() => heard.news.length === 5, 'what comes now');
      ada.disconnect();
      ben.disconnect();
    }
  });

  test('if it was away too long, or missed too much, it is told that it is new', async () => {
    for (const args of [['--recovery-ms', '1'], ['--recovery-ms', '60000', '--recovery-packets', '2']]) {
      const at = await another(...args);
      const [ada, ben] = await Promise.all([connect(ways.websocket, '/', at), connect(ways.websocket, '/', at)]);
      ben.emit('all', 'first');
      await next(ada, 'news');
      const id = await cutOff(ada, ben);
      for (let n = 0; n < 3; ++n) ben.emit('all', n);
      await ask(ben, 'ack', 0);
      await comeBack(ada);
      assert.ok(!ada.recovered);
      assert.notEqual(ada.id, id);
    }
  });

  /** Cuts the connection and waits until the client has reconnected by itself. */
  async function cut(socket) {
    const back = next(socket, 'connect');
    socket.io.engine.close();
    await back;
  }

  test('a client that has received nothing yet is recovered, with what it missed since it connected', async () => {
    const at = await another('--recovery-ms', '60000');
    const [ada, ben] = await Promise.all([connect(ways.websocket, '/', at), connect(ways.websocket, '/', at)]);
    const id = await cutOff(ada, ben);
    await comeBack(ada);
    assert.ok(ada.recovered);
    const heard = reader(ada);
    await cutOff(ada, ben);
    ben.emit('in', id, 'missed');
    await ask(ben, 'ack', 0);
    await comeBack(ada);
    assert.ok(ada.recovered);
    assert.equal(ada.id, id);
    assert.deepEqual((await heard.settle()).map(([value]) => value), ['missed']);
  });

  test('emits to several rooms arrive in order, so that nothing is recovered twice', async () => {
    const at = await another('--recovery-ms', '60000');
    for (const options of [again, {...again, ...ways.polling}]) {
      const ada = await connect(options, '/', at);
      const heard = reader(ada);
      for (const room of ['one', 'two']) await ask(ada, 'join', room);
      ada.emit('in turns', 'one', 'two');
      const values = () => heard.news.map(([value]) => value);
      await until(() => heard.news.length >= 6, 'all of them');
      assert.deepEqual(values(), [0, 1, 2, 3, 4, 5]);
      await cut(ada);
      assert.ok(ada.recovered);
      ada.emit('echo', 'settled');
      await next(ada, 'echoed');
      assert.deepEqual(values(), [0, 1, 2, 3, 4, 5]);
      ada.disconnect();
    }
  });

  test('rooms that middlewares join are kept by recovered clients', async () => {
    const at = await another('--recovery-ms', '60000');
    const socket = await connect({...again, auth: {name: 'ada'}}, '/named', at);
    await ask(socket, 'join', 'of old');
    socket.auth = {name: 'joiner'};
    await cut(socket);
    assert.ok(socket.recovered);
    const rooms = await new Promise((done) => socket.emit('rooms', (...all) => done(all)));
    assert.deepEqual(rooms.slice(1, 3).sort(), ['joined while asked', 'of old']);
  });

  test('a client that was locked out meanwhile is not recovered', async () => {
    const at = await another('--recovery-ms', '60000');
    const socket = await connect({...again, auth: {name: 'ada'}}, '/named', at);
    socket.emit('all', 'x');
    await next(socket, 'news');
    socket.auth = {name: 'late refused'};
    socket.io.engine.close();
    const [error] = await Promise.race([next(socket, 'connect_error').then((args) => [args].flat()), next(socket, 'connect').then(() => [null])]);
    assert.equal(error?.message, 'thought about it');
  });

  test('a client that left on purpose is not recovered', async () => {
    const at = await another('--recovery-ms', '60000');
    const socket = await connect(again, '/', at);
    socket.emit('all', 'x');
    await next(socket, 'news');
    const {id} = socket;
    socket.disconnect().connect();
    await next(socket, 'connect');
    assert.ok(!socket.recovered);
    assert.notEqual(socket.id, id);
  });
});

describe('limits', () => {
  test('events beyond the rate are not acted on; a client that continues is closed', async () => {
    const at = await another('--rate', '10');
    const socket = await connect(ways.websocket, '/', at);
    const refusal = 'more than 10 messages a second; this one was not acted on';
    let answers = 0;
    let refusals = 0; // this server's on_refused sends its name, its message and nothing
    const count = (first, words) => (first === 'ack' && words === refusal ? ++refusals : ++answers);
    for (let n = 0; n < 12; ++n) socket.emit('ack', n, count);
    await until(() => answers + refusals === 12, 'all answers');
    assert.ok(answers >= 5 && refusals >= 1, `${answers} answers, ${refusals} refusals`);
    assert.ok(socket.connected);
    for (let n = 0; n < 30; ++n) socket.emit('ack', n, count);
    assert.equal((await next(socket, 'disconnect'))[0], 'transport close');
    assert.ok(answers < 12, `${answers} answers`);
  });

  test('origins are checked for both transports', async () => {
    const at = await another('--origin', 'https://app.example.com');
    for (const options of [ways.polling, ways.websocket]) {
      await connect({...options, extraHeaders: {origin: 'https://app.example.com'}}, '/', at);
      await next(open({...options, extraHeaders: {origin: 'https://evil.example.com'}}, '/', at), 'connect_error');
    }
  });

  test('the server stops: clients are told, whatever their transport', async () => {
    const at = await startServer(process.env.FLUX_SOCKETIO_SERVER, ['--threads', '2']);
    const clients = await Promise.all(Object.values(ways).map((options) => connect(options, '/', at)));
    const ends = clients.map((client) => next(client, 'disconnect'));
    await at.stop();
    for (const [reason] of await Promise.all(ends)) assert.match(reason, /^transport (close|error)$/);
  });
});

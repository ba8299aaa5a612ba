// Data sharing with bad input: a client that asks for an answer gets one that says what is wrong, and the server
// continues. Run with plain `node`.
//
// FLUX_SHARING_SERVER  tests/support/sharing_server.cpp, built; required

import assert from 'node:assert/strict';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {after, afterEach, before, test} from 'node:test';

import {load} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const {io} = load('socket.io-client');

const folder = mkdtempSync(join(tmpdir(), 'flux-sharing-bad-'));
let server;
const servers = [];
const sockets = [];

async function start(...args) {
  const started = await startServer(process.env.FLUX_SHARING_SERVER, args);
  servers.push(started);
  return started;
}

before(async () => {
  server = await start('--dir', folder);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.disconnect();
});
after(async () => {
  await Promise.all(servers.map((each) => each.stop()));
  rmSync(folder, {recursive: true});
});

async function client(at = server) {
  const socket = io(at.url, {forceNew: true, reconnection: false, transports: ['websocket']});
  sockets.push(socket);
  await within(new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject)), 'connect');
  const ask = (...args) => within(socket.timeout(5000).emitWithAck(...args), args[0]);
  return {socket, ask};
}

/** In its own room. */
async function inRoom(mode = 'history') {
  const one = await client();
  const made = await one.ask('room:create', {roomId: 'r', capacity: 5, mode});
  assert.ok(made.success, made.message);
  assert.ok((await one.ask('room:join', 'r')).success);
  return one;
}

const string = (content) => ({type: 'string', content});
const events = [
  'public:upload', 'room:create', 'room:join', 'room:history', 'room:upload', 'room:leave', 'room:close', 'room:members',
  'room:event', 'room:chat', 'room:chatHistory', 'room:presence',
];
const nonsense = [undefined, null, 0, -1, 1.5, true, '', 'x', [], [[]], {}, {roomId: null}, {roomId: {}}, {data: 1}, Buffer.from('x')];

for (const event of events) {
  test(`${event}: invalid arguments get an error, or nothing without an acknowledgment`, async () => {
    const one = await client();
    for (const argument of nonsense) {
      const args = argument === undefined ? [] : [argument];
      one.socket.emit(event, ...args);
      const answer = await one.ask(event, ...args);
      assert.equal(answer.success, false, `${event} ${JSON.stringify(argument)}: ${JSON.stringify(answer)}`);
      assert.ok(answer.message.length > 5, answer.message);
      if (event === 'room:create') assert.equal(answer.roomId, '');
    }
    assert.ok(one.socket.connected);
  });
}

test('unknown events: an error if an acknowledgment is requested', async () => {
  const one = await client();
  one.socket.emit('no such event');
  for (const event of ['no such event', 'room:', 'public:history', 'room:data', '__proto__', 'constructor', 'message']) {
    const answer = await one.ask(event, 1, {a: 2});
    assert.deepEqual(answer, {success: false, message: `unknown event "${event}"`});
  }
});

test('room:create: invalid capacities and modes', async () => {
  const one = await client();
  const create = (capacity, mode = 'live') => one.ask('room:create', {roomId: 'r', capacity, mode});
  for (const capacity of [-1, 0, 0.5, 10_001, 1e21, Number.MAX_SAFE_INTEGER, '10', true, [], {}, null, undefined, NaN, Infinity]) {
    const answer = await create(capacity);
    assert.equal(answer.success, false);
    assert.match(answer.message, /^capacity is .*; it must be an integer from 1 to 10000$/);
  }
  for (const mode of ['', 'Live', 'LIVE ', 'toString', '__proto__', 7, null, {}, ['live']]) {
    const answer = await create(1, mode);
    assert.equal(answer.success, false);
    assert.match(answer.message, /^mode is/);
  }
  assert.equal((await create(10_000)).success, true);
});

test('room ids: names of JavaScript prototypes are ordinary names', async () => {
  for (const roomId of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '../../etc', 'a/b\\c', '💥', ' ']) {
    const one = await client();
    assert.equal((await one.ask('room:join', roomId)).message, 'Room not found.');
    assert.equal((await one.ask('room:create', {roomId, capacity: 2, mode: 'singleton'})).roomId, roomId);
    assert.equal((await one.ask('room:join', roomId)).success, true);
    const sent = new Promise((resolve) => one.socket.once('room:data', (...args) => resolve(args)));
    await one.ask('room:upload', {roomId, data: string('x')});
    assert.deepEqual(await within(sent, roomId), [string('x'), roomId]);
    one.socket.disconnect();
  }
});

test('room ids: every request refuses empty ones, huge ones and control characters', async () => {
  const one = await client();
  for (const roomId of ['', 'x'.repeat(257), 'x'.repeat(200_000), 'a\nb', 'a\u0000b', '\u0085']) {
    for (const [event, argument] of [
      ['room:create', {roomId, capacity: 1, mode: 'live'}],
      ['room:join', roomId],
      ['room:history', roomId],
      ['room:upload', {roomId, data: string('x')}],
      ['room:leave', roomId],
      ['room:close', roomId],
      ['room:members', roomId],
      ['room:event', {roomId, event: 'e'}],
      ['room:chat', {roomId, message: 'm'}],
      ['room:presence', {roomId, presence: {}}],
    ]) {
      const answer = await one.ask(event, argument);
      assert.equal(answer.success, false, event);
      assert.match(answer.message, /^roomId /);
      assert.ok(answer.message.length < 200);
    }
  }
});

test('data: missing fields, fields of another type, and too much data', async () => {
  const one = await inRoom();
  const bytes = Buffer.from('x');
  for (const [data, message] of [
    [undefined, /^data is missing/],
    [null, /^data is missing/],
    ['text', /^data is a string; it must be an object/],
    [{}, /^data.type is missing/],
    [{type: 'text', content: 'x'}, /^data.type is "text"/],
    [{type: 'string'}, /^data.content is missing/],
    [{type: 'string', content: 7}, /^data.content is a number/],
    [{type: 'string', content: bytes}, /^data.content is an object/],
    [{type: 'string', content: 'x', more: bytes}, /^bytes may only be/],
    [{type: 'file'}, /^data.content is missing; it must be bytes/],
    [{type: 'file', content: 'eA==', fileName: 'a', mimeType: 'a/b'}, /^data.content is a string; it must be bytes/],
    [{type: 'file', content: bytes, mimeType: 'a/b'}, /^data.fileName is missing/],
    [{type: 'file', content: bytes, fileName: 7, mimeType: 'a/b'}, /^data.fileName is a number/],
    [{type: 'file', content: bytes, fileName: 'a\u0000b', mimeType: 'a/b'}, /control characters/],
    [{type: 'file', content: bytes, fileName: 'x'.repeat(513), mimeType: 'a/b'}, /^data.fileName has 513 bytes/],
    [{type: 'file', content: bytes, fileName: 'a', mimeType: 'a/b\r\nSet-Cookie: a=b'}, /^data.mimeType must be/],
    [{type: 'file', fileId: '../../../etc/passwd'}, /^data.fileId is not/],
    [{type: 'file', fileId: '00000000-0000-4000-8000-000000000000'}, /^there is no such file$/],
    [string('x'.repeat(1_048_577)), /^data has \d+ bytes; at most 1048576 are allowed/],
    [string('forbidden'), /^that is forbidden$/],
  ]) {
    for (const [event, argument] of [['room:upload', {roomId: 'r', data}], ['public:upload', data]]) {
      if (data === undefined && event === 'public:upload') continue;
      const answer = await one.ask(event, argument);
      assert.equal(answer.success, false, `${event} ${JSON.stringify(data)}`);
      assert.match(answer.message, message);
    }
  }
  assert.deepEqual((await one.ask('room:history', 'r')).data, []);
  assert.deepEqual(readdirSync(folder).filter((name) => !name.startsWith('flux-files')), []);
});

test('files: names that look like paths are only names, never part of a path', async () => {
  const one = await inRoom();
  const outside = readdirSync(dirname(folder));
  const names = ['../../escape', '/etc/passwd', 'C:\\a', '..', '.', 'a"; filename="b', '%2e%2e%2f', '<script>', 'ünï.txt', 'CON'];
  for (const fileName of names) {
    const data = {type: 'file', content: Buffer.from(fileName), fileName, mimeType: 'text/html'};
    assert.equal((await one.ask('room:upload', {roomId: 'r', data})).success, true);
  }
  const {data} = await one.ask('room:history', 'r');
  assert.deepEqual(data.map(({fileName}) => fileName), names);
  const ids = new Set(data.map(({fileId}) => fileId));
  for (const name of readdirSync(folder)) assert.ok(ids.has(name) || name.startsWith('flux-files'), name);
  assert.deepEqual(readdirSync(dirname(folder)).filter((name) => !outside.includes(name) && /escape/.test(name)), []);
  for (const {fileId} of data) {
    const download = await fetch(new URL(`files/${fileId}`, server.url));
    assert.match(download.headers.get('content-disposition'), /^attachment/);
    assert.equal(download.headers.get('x-content-type-options'), 'nosniff');
    await download.arrayBuffer();
  }
});

test('events, chat and presence: beyond their limits', async () => {
  const one = await inRoom('live');
  const roomId = 'r';
  for (const [event, argument, message] of [
    ['room:event', {roomId, event: ''}, /^event is empty/],
    ['room:event', {roomId, event: 'x'.repeat(257)}, /^event has 257 bytes; at most 256/],
    ['room:event', {roomId, event: 'e', payload: Buffer.from('x')}, /^bytes may only be/],
    ['room:chat', {roomId, message: 'x'.repeat(65_537)}, /^message has 65537 bytes; at most 65536/],
    ['room:chat', {roomId, message: 'a\u0000'}, /^message contains NUL/],
    ['room:chat', {roomId, message: 'm', metadata: 'x'.repeat(16_384)}, /^metadata has/],
    ['room:presence', {roomId, presence: {a: 'x'.repeat(16_384)}}, /^presence has/],
    ['room:presence', {roomId, presence: []}, /^presence is an array; it must be an object/],
    ['room:chatHistory', {roomId, limit: 0}, /^limit is 0; it must be an integer from 1 to 1000/],
    ['room:chatHistory', {roomId, limit: 1001}, /^limit is 1001/],
    ['room:chatHistory', {roomId, before: -1}, /^before is -1/],
    ['room:list', {limit: 'all'}, /^limit is "all"/],
  ]) {
    const answer = await one.ask(event, argument);
    assert.equal(answer.success, false, event);
    assert.match(answer.message, message);
  }
});

test('rooms: too many created by one client', async () => {
  const small = await start('--rooms-per-client', '2');
  const one = await client(small);
  for (const roomId of ['a', 'b', 'c']) await one.ask('room:create', {roomId, capacity: 1, mode: 'live'});
  for (const roomId of ['a', 'b']) assert.ok((await one.ask('room:join', roomId)).success);
  assert.deepEqual(await one.ask('room:join', 'c'), {success: false, message: 'in 2 rooms already; leave one first'});
  await one.ask('room:leave', 'a');
  assert.ok((await one.ask('room:join', 'c')).success);
  for (let n = 0; n < 97 + 1; ++n) await one.ask('room:create', {roomId: `${n}`, capacity: 1, mode: 'live'});
  const answer = await one.ask('room:create', {roomId: 'more', capacity: 1, mode: 'live'});
  assert.match(answer.message, /has already created 100 rooms/);
});

test('rate: messages that come too fast are not acted on, later ones are', async () => {
  const slow = await start('--rate', '20');
  const one = await client(slow);
  let seen = 0;
  one.socket.on('public:history', () => ++seen);
  for (let n = 0; n < 100; ++n) one.socket.emit('public:upload', string(`${n}`));
  await until(async () => one.ask('public:upload', string('last')).then(({success}) => success, () => false), 'a place', 20_000);
  assert.ok(seen < 60, `${seen} of 100`);
  const answers = await Promise.all(Array.from({length: 60}, (_, n) => one.ask('public:upload', string(`${n}`))));
  const refused = answers.filter(({success}) => !success);
  assert.ok(refused.length >= 10, `${refused.length} of 60 refused`); // every one was answered
  assert.equal(refused[0].message, 'more than 20 messages a second; this one was not acted on');
});

test('after all of this the server still works', async () => {
  const one = await client();
  const got = new Promise((resolve) => one.socket.on('public:history', (all) => all.length > 0 && resolve(all)));
  assert.deepEqual(await one.ask('public:upload', string('still here')), {success: true, message: 'Data uploaded.'});
  assert.deepEqual(await within(got, 'public:history'), [string('still here')]);
});

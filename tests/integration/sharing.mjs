// Data sharing as socket.io-client sees it, over every transport, with members of protocol live beside it. Run with
// plain `node`.
//
// FLUX_SHARING_SERVER  tests/support/sharing_server.cpp, built; required
// FLUX_SERVER          the server program; required

import assert from 'node:assert/strict';
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, before, describe, test} from 'node:test';

import {LiveMember} from './support/live_member.mjs';
import {load} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const {io} = load('socket.io-client');

const ways = {
  polling: {transports: ['polling']},
  websocket: {transports: ['websocket']},
  upgrade: {transports: ['polling', 'websocket']},
};
const folder = mkdtempSync(join(tmpdir(), 'flux-sharing-'));
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let server; // two event loops
const servers = [];
const sockets = [];
const members = [];

async function start(...args) {
  const started = await startServer(process.env.FLUX_SHARING_SERVER, args);
  servers.push(started);
  return started;
}

before(async () => {
  server = await start('--threads', '2', '--dir', folder, '--max-file-size', '3000000');
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  for (const member of members.splice(0)) await member.close();
  await empty();
});
after(async () => {
  await Promise.all(servers.map((each) => each.stop()));
  rmSync(folder, {recursive: true});
});

/** A client, and every event that it has received: `{name, args}`. */
async function client(options = ways.websocket, at = server) {
  const socket = io(at.url, {forceNew: true, reconnection: false, ...options});
  sockets.push(socket);
  const events = [];
  socket.onAny((name, ...args) => events.push({name, args}));
  await within(new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject)), 'connect');
  return {
    socket,
    events,
    ask: (...args) => within(socket.timeout(5000).emitWithAck(...args), args[0]),
    emit: (...args) => socket.emit(...args),
    /** Takes the next event of this name. */
    async next(name) {
      await until(() => events.some((event) => event.name === name), name);
      return events.splice(events.findIndex((event) => event.name === name), 1)[0].args;
    },
    /** Events of this name that were received and not taken. Sends an unknown event, which is answered after them. */
    async all(name) {
      await this.ask('nobody knows this');
      return events.filter((event) => event.name === name).map(({args}) => args);
    },
  };
}

async function member(room) {
  const joined = await LiveMember.join(server.url, room);
  members.push(joined);
  return joined;
}

let rooms = 0;
/** A new room, created by the first of the clients and joined by all of them. */
async function room(mode, ...clients) {
  const roomId = `room ${++rooms}`;
  const made = await clients[0].ask('room:create', {roomId, capacity: 100, mode});
  assert.ok(made.success, made.message);
  for (const each of clients) assert.ok((await each.ask('room:join', roomId)).success);
  return roomId;
}

/** Removes a test's items from the public space. */
async function empty() {
  const cleaner = await client();
  while ((await cleaner.ask('public:deleteLast')).success);
  cleaner.socket.disconnect();
}

const string = (content) => ({type: 'string', content: `${content}`});
const cleanUp = async () => (await fetch(new URL('test/cleanup', server.url), {method: 'POST'})).json();
const onDisk = () => readdirSync(folder).filter((name) => uuid.test(name));

for (const [way, options] of Object.entries(ways)) {
  describe(`over ${way}`, () => {
    test('public: everyone gets the history on connecting and after each change', async () => {
      const one = await client(options);
      assert.deepEqual(await one.next('public:history'), [[]]);
      const two = await client(ways.websocket);
      await two.next('public:history');
      one.emit('public:upload', string('first')); // without an acknowledgment
      assert.deepEqual(await two.next('public:history'), [[string('first')]]);
      assert.deepEqual(await one.next('public:history'), [[string('first')]]);
      const answer = await two.ask('public:upload', {...string('sécond'), more: {kept: [1, null]}});
      assert.equal(answer.success, true);
      const both = [string('first'), {...string('sécond'), more: {kept: [1, null]}}];
      assert.deepEqual(await one.next('public:history'), [both]);
      const late = await client(options);
      assert.deepEqual(await late.next('public:history'), [both]);
      one.emit('public:deleteLast');
      assert.deepEqual(await late.next('public:history'), [[string('first')]]);
      assert.equal((await one.ask('public:deleteLast')).success, true);
      assert.deepEqual(await late.next('public:history'), [[]]);
      assert.deepEqual(await one.ask('public:deleteLast'), {success: false, message: 'The public space is empty.'});
    });

    test('rooms: created once; joined only if they exist and are not full', async () => {
      const one = await client(options);
      const two = await client(options);
      const roomId = `made over ${way}`;
      const made = await one.ask('room:create', {roomId, capacity: 1, mode: 'live'});
      assert.deepEqual({success: made.success, roomId: made.roomId}, {success: true, roomId});
      const again = await two.ask('room:create', {roomId, capacity: 1, mode: 'live'});
      assert.deepEqual({success: again.success, roomId: again.roomId}, {success: false, roomId: ''});
      assert.deepEqual(await two.ask('room:join', 'not there'), {success: false, message: 'Room not found.'});
      const joined = await one.ask('room:join', roomId);
      assert.equal(joined.success, true);
      assert.ok(!('data' in joined));
      assert.deepEqual(await two.ask('room:join', roomId), {success: false, message: 'Room is full.'});
      await one.ask('room:leave', roomId); // which ends it, as its last member leaves
      assert.deepEqual(await two.ask('room:join', roomId), {success: false, message: 'Room not found.'});
    });

    test('rooms: mode live sends only to the others and keeps nothing', async () => {
      const [one, two, three] = [await client(options), await client(ways.websocket), await client(ways.polling)];
      const roomId = await room('live', one, two, three);
      assert.equal((await one.ask('room:upload', {roomId, data: string('x')})).success, true);
      assert.deepEqual(await two.next('room:data'), [string('x'), roomId]);
      assert.deepEqual(await three.next('room:data'), [string('x'), roomId]);
      assert.deepEqual(await one.all('room:data'), []);
      assert.equal((await one.ask('room:history', roomId)).success, false);
    });

    test('rooms: mode singleton sends to all and keeps the newest item', async () => {
      const [one, two] = [await client(options), await client(ways.websocket)];
      const roomId = await room('singleton', one, two);
      one.emit('room:upload', {roomId, data: string('old')});
      assert.deepEqual(await one.next('room:data'), [string('old'), roomId]);
      await one.ask('room:upload', {roomId, data: string('new')});
      assert.deepEqual(await one.next('room:data'), [string('new'), roomId]);
      const late = await client(options);
      assert.deepEqual((await late.ask('room:join', roomId)).data, string('new'));
      assert.equal((await late.ask('room:history', roomId)).success, false);
    });

    test('rooms: mode history sends to all and keeps everything for members', async () => {
      const [one, two] = [await client(options), await client(ways.websocket)];
      const roomId = await room('history', one, two);
      assert.deepEqual((await one.ask('room:join', roomId)).data, []);
      const all = [];
      for (let n = 0; n < 5; ++n) {
        all.push(string(`${n}`));
        await one.ask('room:upload', {roomId, data: all[n]});
        assert.deepEqual(await one.next('room:data'), [all[n], roomId]);
      }
      const late = await client(options);
      assert.deepEqual(await late.ask('room:history', roomId), {success: false, message: 'You are not in this room.'});
      assert.deepEqual((await late.ask('room:join', roomId)).data, all);
      const history = await two.ask('room:history', roomId);
      assert.equal(history.success, true);
      assert.deepEqual(history.data, all);
      assert.equal((await late.ask('room:history', 'not there')).message, 'Room not found.');
    });

    test('rooms: only members may upload', async () => {
      const [one, stranger] = [await client(options), await client(options)];
      const roomId = await room('history', one);
      const refused = await stranger.ask('room:upload', {roomId, data: string('x')});
      assert.deepEqual(refused, {success: false, message: 'You are not in this room.'});
      assert.deepEqual(await one.all('room:data'), []);
      assert.equal((await stranger.ask('room:upload', {roomId: 'not there', data: string('x')})).message, 'Room not found.');
    });

    test('rooms: a client that disconnects leaves all of them, and empty ones end', async () => {
      const [one, two] = [await client(options), await client(ways.websocket)];
      const shared = await room('history', two, one);
      const own = await room('history', one);
      one.socket.disconnect();
      const [left] = await two.next('room:presence').then(async (first) => (first[0].left ? first : two.next('room:presence')));
      assert.equal(left.roomId, shared);
      assert.equal(left.left.length, 1);
      assert.equal((await two.ask('room:join', own)).message, 'Room not found.');
      assert.equal((await two.ask('room:history', shared)).success, true);
    });

    test('files: sent in a message, stored, downloaded, deleted with the item that held the file', async () => {
      const [one, two] = [await client(options), await client(ways.polling)];
      const roomId = await room('singleton', one, two);
      const content = Buffer.from([0, 1, 2, 255, 30, 200]);
      const data = {type: 'file', content, fileName: 'ünï "code".bin', mimeType: 'image/png'};
      assert.deepEqual(await one.ask('room:upload', {roomId, data}), {success: true, message: 'Data uploaded.'});
      const [stored] = await two.next('room:data');
      assert.match(stored.fileId, uuid);
      const {fileId} = stored;
      assert.deepEqual(stored, {type: 'file', fileId, fileName: 'ünï "code".bin', mimeType: 'image/png', size: 6});
      assert.ok(content.equals(readFileSync(join(folder, fileId))));
      const download = await fetch(new URL(`files/${fileId}?filename=a.png`, server.url));
      assert.ok(content.equals(Buffer.from(await download.arrayBuffer())));
      await one.ask('room:upload', {roomId, data: string('instead')});
      await until(async () => (await fetch(new URL(`files/${fileId}`, server.url))).status === 404, 'its deletion');
      assert.ok((await cleanUp()).deleted.includes(fileId));
      assert.deepEqual(onDisk(), []);
    });
  });
}

test('upgrade: in the middle of messages, nothing is lost or duplicated', async () => {
  const sender = await client();
  const roomId = await room('history', sender);
  let sent = 0;
  let enough = false;
  const sending = (async () => {
    while (!enough) {
      sender.emit('room:upload', {roomId, data: string(sent)});
      sender.emit('public:upload', string(sent++));
      if (sent % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const readers = await Promise.all(
    Array.from({length: 10}, async () => {
      const reader = await client(ways.upgrade);
      const {data} = await reader.ask('room:join', roomId);
      return {...reader, before: data.length};
    }),
  );
  for (const {socket} of readers) await until(() => socket.io.engine.transport.name === 'websocket', 'the upgrade');
  enough = true;
  await sending;
  await sender.ask('room:upload', {roomId, data: string(sent)});
  for (const reader of readers) {
    const got = () => reader.events.filter(({name}) => name === 'room:data').map(({args}) => args[0].content);
    await until(() => got().at(-1) === `${sent}`, () => `message ${sent}, after ${got().at(-1)}`);
    assert.deepEqual(got(), Array.from({length: sent + 1 - reader.before}, (_, n) => `${n + reader.before}`));
    // Only the newest list matters, so some are skipped; none comes twice, and the last one arrives.
    const publics = () =>
      reader.events.filter(({name}) => name === 'public:history').map(({args}) => Number(args[0].at(-1)?.content ?? -1));
    await until(() => publics().at(-1) === sent - 1, () => `the list with ${sent - 1}, after ${publics().at(-1)}`);
    for (let n = 1; n < publics().length; ++n) assert.ok(publics()[n] > publics()[n - 1], `${publics()}`);
  }
  assert.ok(sent > 10, `${sent} messages`);
});

test('mixed: members of protocol live and of Socket.IO see each other', async () => {
  const ann = await client(ways.upgrade);
  const roomId = await room('history', ann);
  const bob = await member(roomId);
  const {connectionId, members: present} = await ann.ask('room:members', roomId);
  assert.deepEqual(Object.keys(bob.welcome.presence).sort(), present.map((entry) => entry.connectionId).sort());
  await ann.ask('room:upload', {roomId, data: string('from Ann')});
  const {payload} = await bob.next('room_data');
  assert.deepEqual([payload.connectionId, payload.data], [connectionId, string('from Ann')]);
  await bob.request('share', {data: string('from Bob')});
  await bob.next('room_data');
  assert.deepEqual(await ann.next('room:data'), [string('from Ann'), roomId]);
  assert.deepEqual(await ann.next('room:data'), [string('from Bob'), roomId]);
  await ann.ask('room:event', {roomId, event: 'wave', payload: [1]});
  assert.deepEqual((await bob.next('broadcast_event')).payload, {roomId, connectionId, event: 'wave', payload: [1]});
  await bob.request('broadcast_event', {event: 'nod'});
  assert.deepEqual(await ann.next('room:event'), [{roomId, connectionId: bob.id, event: 'nod'}]);
  const said = await ann.ask('room:chat', {roomId, message: 'hi', metadata: {m: 1}});
  const stored = {id: said.id, roomId, connectionId, message: 'hi', metadata: {m: 1}, createdAt: said.createdAt, offset: 1};
  assert.deepEqual((await bob.next('chat_message')).payload, stored);
  assert.deepEqual(await ann.next('room:chat'), [stored]);
  assert.deepEqual((await ann.ask('room:chatHistory', {roomId})).messages, [stored]);
  await ann.ask('room:presence', {roomId, presence: {busy: true}});
  const {updated} = (await bob.next('presence_updated')).payload;
  assert.deepEqual(updated, [{connectionId, presence: {busy: true}}]);
  await ann.ask('room:close', roomId);
  assert.deepEqual((await bob.next('room_closed')).payload, {roomId, reason: 'closed by its creator'});
  assert.deepEqual(await ann.next('room:closed'), [{roomId, reason: 'closed by its creator'}]);
});

test("identity: the application's, for presence, events, chat and the owner of files", async () => {
  const ann = await client({...ways.websocket, auth: {user: 'ann'}});
  const bob = await client();
  const roomId = await room('live', ann, bob);
  assert.deepEqual((await bob.ask('room:members', roomId)).members.map(({userId}) => userId), ['ann', undefined]);
  await ann.ask('room:event', {roomId, event: 'e'});
  assert.equal((await bob.next('room:event'))[0].userId, 'ann');
  await ann.ask('room:chat', {roomId, message: 'm'});
  assert.equal((await bob.next('room:chat'))[0].userId, 'ann');
});

test('public: the oldest items are dropped beyond the limit', async () => {
  const small = await start('--public-max', '3');
  const one = await client(ways.websocket, small);
  for (let n = 0; n < 5; ++n) await one.ask('public:upload', string(`${n}`));
  const all = await one.all('public:history');
  assert.deepEqual(all.at(-1)[0].map(({content}) => content), ['2', '3', '4']);
});

test('files: uploaded over HTTP and shared by id, in a room and in the public space', async () => {
  const one = await client(ways.upgrade);
  const {ticket} = await one.ask('public:uploadTicket');
  const put = await fetch(new URL(`files?ticket=${ticket}`, server.url), {
    method: 'POST',
    body: 'over HTTP',
    headers: {'Content-Type': 'text/plain', 'Content-Disposition': 'attachment; filename="a.txt"'},
  });
  assert.ok(put.ok, `${put.status}`);
  const fileId = put.headers.get('location').split('/').at(-1);
  const roomId = await room('live', one);
  const bob = await member(roomId);
  assert.equal((await one.ask('room:upload', {roomId, data: {type: 'file', fileId}})).success, true);
  const stored = (await bob.next('room_data')).payload.data;
  assert.deepEqual([stored.fileId, stored.size], [fileId, 9]);
  await one.ask('public:upload', {type: 'file', fileId});
  assert.deepEqual((await one.all('public:history')).at(-1), [[stored]]);
  await one.ask('room:close', roomId); // the public space still has it
  assert.equal((await fetch(new URL(`files/${fileId}`, server.url))).status, 200);
  await one.ask('public:deleteLast');
  await until(async () => (await fetch(new URL(`files/${fileId}`, server.url))).status === 404, 'its deletion');
  const unknown = await one.ask('public:upload', {type: 'file', fileId});
  assert.equal(unknown.success, false);
});

test('room:uploadTicket: for members; the room is told of the upload with its uploader', async () => {
  const [one, two] = [await client(), await client()];
  const roomId = await room('history', one, two);
  const three = await client();
  assert.equal((await three.ask('room:uploadTicket', roomId)).message, 'You are not in this room.');
  const {success, ticket, expires} = await one.ask('room:uploadTicket', roomId);
  assert.ok(success && expires > Date.now(), `${expires}`);
  const {connectionId} = await one.ask('room:members', roomId);
  const put = await fetch(new URL(`files?filename=a.txt&upload_id=u1&ticket=${ticket}`, server.url), {method: 'POST', body: 'x'});
  assert.equal(put.status, 201);
  const {fileId} = await put.json();
  let [heard] = await two.next('room:event');
  while (!heard.payload.done) [heard] = await two.next('room:event');
  assert.deepEqual(heard, {
    roomId,
    connectionId,
    event: 'upload_progress',
    payload: {uploadId: 'u1', fileName: 'a.txt', offset: 1, length: 1, done: true, fileId},
  });
  // Any member of the room may share it: it is deleted with the room.
  assert.equal((await two.ask('room:upload', {roomId, data: {type: 'file', fileId}})).success, true);
  await one.ask('room:close', roomId);
  await until(async () => (await fetch(new URL(`files/${fileId}`, server.url))).status === 404, 'its deletion');
});

test('files: at the size limit and one byte over it', async () => {
  const one = await client();
  const file = (size) => ({type: 'file', content: Buffer.alloc(size, 7), fileName: 'big', mimeType: ''});
  assert.equal((await one.ask('public:upload', file(3_000_000))).success, true);
  const [[stored]] = (await one.all('public:history')).at(-1);
  assert.deepEqual([stored.mimeType, stored.size], ['application/octet-stream', 3_000_000]);
  assert.deepEqual(await one.ask('public:upload', file(3_000_001)), {
    success: false,
    message: 'the file has 3000001 bytes; at most 3000000 are allowed',
  });
});

for (const [way, most] of [
  ['websocket', 1_500_000], // more than --max-message
  ['polling', 10_000_000], // a third more in base64
]) {
  test(`files: flux-server accepts one of --max-file-size in a message over ${way}, refuses a larger one`, async () => {
    const uploads = mkdtempSync(join(tmpdir(), 'flux-server-files-'));
    const program = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--files', uploads, '--max-file-size', `${most}`]);
    servers.push(program);
    try {
      const one = await client(ways[way], program);
      const file = (size) => ({type: 'file', content: Buffer.alloc(size, 7), fileName: 'ü'.repeat(256), mimeType: 'a/b'});
      assert.deepEqual(await one.ask('public:upload', file(most)), {success: true, message: 'Data uploaded.'});
      assert.deepEqual(await one.ask('public:upload', file(most + 1)), {
        success: false,
        message: `the file has ${most + 1} bytes; at most ${most} are allowed`,
      });
      assert.equal((await one.all('public:history')).at(-1)[0][0].size, most); // it is still connected
      assert.ok(one.socket.connected);
    } finally {
      rmSync(uploads, {recursive: true});
    }
  });
}

test('files: without a folder they are refused', async () => {
  const none = await start();
  const one = await client(ways.websocket, none);
  const answer = await one.ask('public:upload', {type: 'file', content: Buffer.from('x'), fileName: 'a', mimeType: 'a/b'});
  assert.deepEqual(answer, {success: false, message: 'this server accepts no files'});
});

test('files: a client that disconnects in the middle of an upload leaves no file behind', async () => {
  const one = await client();
  const two = await client();
  const roomId = await room('history', two, one);
  for (let n = 0; n < 8; ++n) {
    one.emit('room:upload', {roomId, data: {type: 'file', content: Buffer.alloc(2_900_000), fileName: 'a', mimeType: 'a/b'}});
  }
  one.socket.disconnect();
  await until(async () => (await two.ask('room:members', roomId)).members.length === 1, 'the end of it');
  await two.ask('room:close', roomId);
  await until(async () => {
    await cleanUp();
    return onDisk().length === 0;
  }, 'an empty folder');
});

test('room:list: off by default; if enabled, it returns the rooms with their numbers of members', async () => {
  const one = await client();
  assert.equal((await one.ask('room:list')).success, false);
  const open = await start('--room-list', '1');
  const two = await client(ways.websocket, open);
  await two.ask('room:create', {roomId: 'a', capacity: 2, mode: 'history'});
  await two.ask('room:join', 'a');
  const {success, rooms: list, total} = await two.ask('room:list');
  assert.deepEqual({success, list, total}, {success: true, list: [{roomId: 'a', mode: 'history', capacity: 2, members: 1}], total: 1});
  await two.ask('room:create', {roomId: 'b', capacity: 2, mode: 'live'});
  const page = await two.ask('room:list', {limit: 1});
  assert.deepEqual([page.rooms.length, page.total], [1, 2]);
});

test('room_linger: a room outlives its last member by that time', async () => {
  const patient = await start('--linger-ms', '1500');
  const one = await client(ways.websocket, patient);
  const two = await client(ways.websocket, patient);
  await one.ask('room:create', {roomId: 'r', capacity: 2, mode: 'history'});
  await one.ask('room:join', 'r');
  await one.ask('room:upload', {roomId: 'r', data: string('kept')});
  one.socket.disconnect();
  assert.deepEqual((await two.ask('room:join', 'r')).data, [string('kept')]);
  await two.ask('room:leave', 'r');
  const stillThere = async () => (await two.ask('room:upload', {roomId: 'r', data: string('x')})).message !== 'Room not found.';
  assert.ok(await stillThere());
  await until(async () => !(await stillThere()), 'its end');
});

test('the server closes a room: its members are told, and stay connected', async () => {
  const one = await client(ways.polling);
  const roomId = await room('live', one);
  await fetch(new URL(`test/close/${encodeURIComponent(roomId)}`, server.url), {method: 'POST'});
  assert.deepEqual(await one.next('room:closed'), [{roomId, reason: 'by the server'}]);
  assert.equal((await one.ask('room:join', roomId)).message, 'Room not found.');
});

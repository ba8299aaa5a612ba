// kill -9 while people share text and files in a room and in the public space, both stored in SQLite with the file
// index, and create rooms: acknowledged items are there afterwards, once, and their files can be downloaded. Run with
// plain `node`. A failure prints the seed; `SEED=N` repeats the choices.
//
// FLUX_SERVER          the server program; required. Without SQLite the test is skipped, unless
// FLUX_TEST_DATABASES  is "required"

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';

import {ask, sha256} from './support/files.mjs';
import {load} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const {io} = load('socket.io-client');

const rounds = 5;
const roomId = 'notes';
const inFlight = 4;
const perRound = 80;
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
let draws = 0;
const random = () => createHash('sha256').update(`${seed} ${++draws}`).digest().readUInt32LE() / 2 ** 32;

const {stderr} = spawnSync(process.env.FLUX_SERVER, ['--rooms', 'what there is'], {encoding: 'utf8'});
const needed = process.env.FLUX_TEST_DATABASES === 'required';
const skip = !needed && !stderr.includes('sqlite:PATH') && 'flux-server was built without SQLite';

const folder = mkdtempSync(join(tmpdir(), 'flux-rooms-crash-'));
after(() => rmSync(folder, {recursive: true}));

function start(port) {
  const database = `sqlite:${join(folder, 'flux.sqlite')}`;
  const options = ['--port', `${port}`, '--threads', '2', '--public-history', '100000'];
  const stores = ['--rooms', database, '--file-index', database, '--files', join(folder, 'files')];
  return startServer(process.env.FLUX_SERVER, [...options, ...stores]);
}

/** A client, and what it finds in the public space. */
async function client(url) {
  const socket = io(url, {forceNew: true, reconnection: false, transports: ['websocket']});
  const found = new Promise((resolve) => socket.once('public:history', resolve));
  const connected = new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  await within(connected, 'connect');
  return {socket, found: await within(found, 'public:history')};
}

/** One place where items are shared, with the items sent and those acknowledged. */
class Place {
  #sent = 0;
  #acknowledged = new Set();
  /** By name. */
  #files = new Map();

  constructor(share) {
    this.share = share;
  }
  get acknowledged() {
    return this.#acknowledged.size;
  }

  #next() {
    const name = `${++this.#sent}`;
    if (this.#sent % 5 !== 0) return [name, {type: 'string', content: name}];
    const content = Buffer.alloc(1 + Math.floor(random() * 200_000), name);
    this.#files.set(name, sha256(content));
    return [name, {type: 'file', content, fileName: name, mimeType: 'application/octet-stream'}];
  }

  /** Shares one item after another until the server dies. */
  async #shareUntilDeath(socket) {
    for (let i = 0; i < perRound / inFlight; ++i) {
      const [name, data] = this.#next();
      const answer = await this.share(socket.timeout(10_000), data).catch((error) => {
        if (socket.connected) throw error;
      });
      if (!answer) return;
      assert.ok(answer.success, answer.message);
      this.#acknowledged.add(name);
    }
  }
  work(socket) {
    return Promise.all(Array.from({length: inFlight}, () => this.#shareUntilDeath(socket)));
  }

  async check(port, items) {
    const names = items.map((item) => (item.type === 'file' ? item.fileName : item.content));
    assert.equal(new Set(names).size, names.length, `doubled: ${names}`);
    for (const name of this.#acknowledged) assert.ok(names.includes(name), `acknowledged: ${name}; there are ${names}`);
    for (const name of names) assert.ok(Number(name) >= 1 && Number(name) <= this.#sent, `never sent: ${name}`);
    for (const {fileId, fileName} of items.filter(({type}) => type === 'file')) {
      const got = await ask(port, 'GET', `/files/${fileId}`);
      assert.equal(got.status, 200, `file ${fileName} is there`);
      assert.equal(sha256(got.body), this.#files.get(fileName), `file ${fileName} is whole`);
    }
  }
}

/** Rooms that are created and that nobody joins. */
class EmptyRooms {
  #sent = 0;
  #acknowledged = [];

  get acknowledged() {
    return this.#acknowledged.length;
  }
  #create(socket, roomId, mode) {
    return socket.timeout(10_000).emitWithAck('room:create', {roomId, capacity: 10, mode});
  }
  async #makeUntilDeath(socket) {
    for (let i = 0; i < perRound / inFlight; ++i) {
      const roomId = `empty ${++this.#sent}`;
      const answer = await this.#create(socket, roomId, random() < 0.5 ? 'history' : 'singleton').catch((error) => {
        if (socket.connected) throw error;
      });
      if (!answer) return;
      assert.ok(answer.success, answer.message);
      this.#acknowledged.push(roomId);
    }
  }
  work(socket) {
    return Promise.all(Array.from({length: inFlight}, () => this.#makeUntilDeath(socket)));
  }
  async check(socket) {
    for (const roomId of this.#acknowledged) {
      const answer = await this.#create(socket, roomId, 'live');
      assert.equal(answer.message, `room "${roomId}" exists already`);
    }
  }
}

test(`rooms, the public space and files through ${rounds} crashes, seed ${seed}`, {skip}, async () => {
  const room = new Place((socket, data) => socket.emitWithAck('room:upload', {roomId, data}));
  const space = new Place((socket, data) => socket.emitWithAck('public:upload', data));
  const empty = new EmptyRooms();
  let port = 0;
  for (let round = 0; round <= rounds; ++round) {
    const server = await start(port);
    ({port} = server);
    const [one, two, three] = [await client(server.url), await client(server.url), await client(server.url)];
    if (round === 0) {
      const made = await one.socket.timeout(5000).emitWithAck('room:create', {roomId, capacity: 10, mode: 'history'});
      assert.ok(made.success, made.message);
    }
    const joined = await one.socket.timeout(5000).emitWithAck('room:join', roomId);
    assert.ok(joined.success, joined.message);
    await room.check(port, joined.data);
    await space.check(port, two.found);
    await empty.check(three.socket);

    const before = [room, space, empty].map(({acknowledged}) => acknowledged);
    const working = Promise.all([room.work(one.socket), space.work(two.socket), empty.work(three.socket)]);
    if (round === rounds) {
      await working;
    } else {
      const alive = () => [room, space, empty].every(({acknowledged}, i) => acknowledged > before[i]);
      await until(alive, 'items in both, and a room');
      setTimeout(() => server.signal('SIGKILL'), random() * 120);
      await working;
      await server.kill();
    }
    for (const {socket} of [one, two, three]) socket.disconnect();
    if (round === rounds) await server.stop();
  }
  for (const {acknowledged} of [room, space, empty]) assert.ok(acknowledged >= rounds + perRound);
});

// flux.js on Node: channels, state, rooms, and a network that is cut, frozen and restored at random. Run with plain `node`.
//
// FLUX_SERVER  the server program; required
// FLUX_SEED    of the random cuts (random; printed)
// FLUX_RUNS    how often the tests with random cuts run, with one seed after the other (1)
// FLUX_TEST_DATABASES  "required": a server that was built without SQLite fails, in place of a test that is skipped

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {createHmac, webcrypto} from 'node:crypto';
import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {connect as connectSocket, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';

import {Flux} from '../../src/js/flux.js';
import {load} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const {WebSocket} = load('ws');
globalThis.crypto ??= webcrypto; // Debian 12 has Node 18, where it is not global yet
const boundMs = 60_000;
const {stderr} = spawnSync(process.env.FLUX_SERVER, ['--channel-store', 'what there is'], {encoding: 'utf8'});
const noSqlite = process.env.FLUX_TEST_DATABASES !== 'required' && !stderr.includes('sqlite:PATH') &&
  'flux-server was built without SQLite';
const start = (...args) => startServer(process.env.FLUX_SERVER, ['--port', '0', '--log', 'error', ...args]);
const folder = mkdtempSync(join(tmpdir(), 'flux-js-'));
const channels = join(folder, 'channels.json');
writeFileSync(channels, '{"defaults": {"state": 100, "historyBytes": 100000000}}');
after(() => rmSync(folder, {recursive: true}));
const clients = [];
after(() => clients.forEach((client) => client.close()));

function flux(url, options = {}) {
  const client = new Flux(url, {WebSocket, backoff: 20, backoffMax: 100, timeout: 10_000, heartbeat: 2_000, ...options});
  clients.push(client);
  return client;
}
const opened = (client) => until(() => client.state === 'open', 'an open connection', boundMs);
const next = (emitter, name) => within(new Promise((resolve) => {
  const off = emitter.on(name, (value) => {
    off();
    resolve(value);
  });
}), `the event ${name}`, boundMs);

function randomFrom(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % below;
  };
}

const secret = 'flux.js signs its own tokens, for tests';
function token(user, permissions = [], seconds = 600) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {sub: user, permissions, exp: Math.floor(Date.now() / 1000) + seconds};
  const signed = `${part({alg: 'HS256'})}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
const startWithTokens = (...args) => startServer(process.env.FLUX_SERVER,
  ['--port', '0', '--log', 'error', '--require-auth', ...args], {env: {...process.env, FLUX_JWT_SECRET: secret}});

/** A proxy to `port()` that can cut its connections, or swallow what they carry. */
class Network {
  pairs = new Set();
  frozen = false;

  static async to(port) {
    const network = new Network();
    network.server = createServer((client) => {
      const target = connectSocket(port(), '127.0.0.1');
      const pair = {client, target};
      network.pairs.add(pair);
      const pass = (from, into) => from.on('data', (bytes) => network.frozen || into.write(bytes));
      pass(client, target);
      pass(target, client);
      const end = () => {
        client.destroy();
        target.destroy();
        network.pairs.delete(pair);
      };
      for (const socket of [client, target]) socket.on('error', end).on('close', end);
    });
    network.server.listen(0, '127.0.0.1');
    await once(network.server, 'listening');
    network.url = `http://127.0.0.1:${network.server.address().port}`;
    return network;
  }
  cut() {
    for (const {client} of this.pairs) client.destroy();
  }
  end() {
    this.cut();
    this.server.close();
  }
}

test('channels: publications, presence, shared state and history', async () => {
  const server = await start('--channels', channels, '--channel-history', '100');
  const ann = flux(server.url);
  const ben = flux(server.url);
  await Promise.all([opened(ann), opened(ben)]);
  const news = ann.subscribe('news:1', {state: true});
  const all = ann.subscribe('news:*');
  assert.equal(ann.subscribe('news:1'), news);
  await Promise.all([next(news, 'subscribed'), next(all, 'subscribed')]);

  const [message, byPattern] = await Promise.all([next(news, 'message'), next(all, 'message'),
    ben.publish('news:1', {n: 1})]);
  assert.deepEqual([message.data, byPattern.data, byPattern.pattern], [{n: 1}, {n: 1}, 'news:*']);
  assert.equal(news.position.offset, 1);
  assert.equal((await news.history()).publications.length, 1);

  const bens = ben.subscribe('news:1', {state: true});
  await next(bens, 'subscribed');
  const [joined] = await Promise.all([next(news, 'presence'), bens.enter({color: 'red'})]);
  assert.deepEqual([joined.type, joined.data, joined.first], ['join', {color: 'red'}, true]);
  assert.equal((await news.members()).members[0].data.color, 'red');

  await Promise.all([next(news, 'state'), bens.set('x', [1])]);
  assert.deepEqual(news.state.get('x').value, [1]);
  assert.deepEqual(await news.set('x', [2], {version: 9}), {changed: false, version: 1});
  assert.deepEqual(await news.set('x', [2], {version: 1}), {changed: true, version: 2});
  await bens.set('mine', 1, {bound: true});
  await assert.rejects(news.set('mine', 2), {code: 'FORBIDDEN'});
  await until(() => bens.state.get('x')?.version === 2 && news.state.size === 2, 'both have the state', boundMs);
  const late = flux(server.url).subscribe('news:1', {state: true});
  await next(late, 'state');
  assert.deepEqual([...late.state.keys()].sort(), ['mine', 'x']);

  const gone = next(news, 'presence');
  ben.close();
  assert.equal((await gone).type, 'leave');
  await until(() => !news.state.has('mine'), 'what was bound is gone', boundMs);
  await assert.rejects(ben.publish('news:1', 1), {code: 'CLOSED'});
  await assert.rejects(ann.publish('system:x', 1), {code: 'UNAUTHORIZED'});
  const refused = ann.subscribe('system:x');
  assert.equal((await next(refused, 'error')).code, 'UNAUTHORIZED');
  await server.stop();
});

test('rooms: members, events and chat, joined again after an interruption', async () => {
  const server = await start();
  const network = await Network.to(() => server.port);
  const ann = flux(network.url);
  const ben = flux(server.url);
  await Promise.all([opened(ann), opened(ben)]);
  const garden = await ann.join('garden', {x: 1});
  const bens = await ben.join('garden', {x: 2});
  await until(() => garden.members.size === 2 && bens.members.size === 2, 'two members', boundMs);
  const [event] = await Promise.all([next(bens, 'event'), garden.send('wave', {to: 'ben'})]);
  assert.deepEqual([event.event, event.payload], ['wave', {to: 'ben'}]);
  const [chat] = await Promise.all([next(bens, 'chat'), garden.chat('hello')]);
  assert.equal(chat.message, 'hello');
  await garden.update({x: 3});
  const rejoined = next(garden, 'joined');
  network.cut();
  assert.equal((await rejoined).chatHistory[0].message, 'hello');
  await until(() => [...bens.members.values()].some(({presence}) => presence.x === 3) && bens.members.size === 2,
    'it is there again, once', boundMs);
  await assert.rejects(ann.call('no_such'), {code: 'INVALID_MESSAGE'});
  await garden.leave();
  await until(() => bens.members.size === 1, 'it has left', boundMs);
  network.end();
  await server.stop();
});

test('rooms: listeners that are there before it is joined, tabs of one user, and a server that refuses it', async () => {
  const server = await start();
  const network = await Network.to(() => server.port);
  const ann = flux(network.url, {backoff: 1e9, backoffMax: 1e9});
  const garden = ann.room('garden');
  assert.equal(ann.room('garden'), garden);
  const [welcome, joined] = await Promise.all([next(garden, 'joined'), ann.join('garden', {tab: 1}, {name: 'Ann'})]);
  assert.equal(joined, garden);
  assert.equal(welcome.presence[garden.connectionId].name, 'Ann');
  const ben = flux(server.url);
  await opened(ben);
  const bens = await ben.join('garden', {tab: 1});
  await until(() => garden.members.size === 2 && bens.members.size === 2, 'two members', boundMs);
  assert.equal(garden.people().length, 2);
  const [person] = bens.people(({presence}) => presence.tab);
  assert.equal(person.connectionId, bens.connectionId, 'the own entry stands for the person');
  await bens.update({tab: 2});
  assert.deepEqual(bens.members.get(bens.connectionId).presence, {tab: 2});
  assert.equal(bens.people(({presence}) => presence.tab).length, 2);

  const refused = ben.room('cell');
  const create = (client) => client.request('create_room', {roomId: 'cell', mode: 'live', capacity: 1});
  await create(ann);
  await ann.join('cell');
  await assert.rejects(ben.join('cell'), {code: 'ROOM_FULL'});
  const cell = ben.room('cell');
  assert.notEqual(cell, refused, 'it was left');

  // Ann returns when somebody else has taken her place.
  const anns = ann.room('cell');
  network.cut();
  await until(() => ann.state === 'waiting', 'a connection that is lost', boundMs);
  await until(() => create(ben).then(() => true, () => false), 'the end of the room that she had', boundMs);
  await ben.join('cell');
  const lost = next(anns, 'error');
  ann.retry();
  assert.equal((await lost).code, 'ROOM_FULL');
  assert.notEqual(ann.room('cell'), anns);
  network.end();
  await server.stop();
});

test('rooms: two connections of one user are one person, who leaves with the last of them', async () => {
  const server = await startWithTokens();
  const join = async (user) => {
    const client = flux(server.url, {token: token(user)});
    await opened(client);
    return {client, room: await client.join('garden')};
  };
  const ben = await join('ben');
  const users = () => ben.room.people().map(({userId}) => userId).sort();
  const members = (count) => until(() => ben.room.members.size === count, `${count} members`, boundMs);
  const tabs = [await join('ann'), await join('ann')];
  await members(3);
  assert.deepEqual(users(), ['ann', 'ben']);
  const own = tabs[1].room.people().find(({userId}) => userId === 'ann');
  assert.equal(own.connectionId, tabs[1].room.connectionId, 'the own entry stands for the person');
  tabs[0].client.close();
  await members(2);
  assert.deepEqual(users(), ['ann', 'ben']);
  tabs[1].client.close();
  await members(1);
  assert.deepEqual(users(), ['ben']);
  await server.stop();
});

test('rooms: all members are known, also where one message does not hold them', async () => {
  const server = await start();
  const large = 'x'.repeat(16_000);
  const people = Array.from({length: 80}, () => flux(server.url));
  await Promise.all(people.map(opened));
  for (const one of people) await one.join('hall', {large});
  const ann = flux(server.url);
  await opened(ann);
  const hall = ann.room('hall');
  const [joined] = await Promise.all([next(hall, 'joined'), ann.join('hall')]);
  assert.ok(joined.presenceAfter, 'one message does not hold the members');
  assert.ok(hall.members.size < 81);
  await until(() => hall.members.size === 81, 'all members', boundMs);
  assert.equal([...hall.members.values()].filter(({presence}) => presence.large === large).length, 80);
  people[79].close();
  await until(() => hall.members.size === 80, 'one has left', boundMs);
  await server.stop();
});

test('chat: a message that is sent again with its id is stored and heard once', async () => {
  const server = await startWithTokens();
  const network = await Network.to(() => server.port);
  const ann = flux(network.url, {token: token('ann')});
  await opened(ann);
  const garden = await ann.join('garden');
  const heard = [];
  garden.on('chat', ({message}) => heard.push(message));
  const first = await garden.chat('hello', undefined, 'm1');
  const rejoined = next(garden, 'joined');
  network.cut();
  await rejoined;
  assert.equal((await garden.chat('hello', undefined, 'm1')).offset, first.offset);
  await garden.chat('bye');
  await until(() => heard.includes('bye'), 'the last message', boundMs);
  assert.deepEqual(heard, ['hello', 'bye']);
  assert.equal((await garden.history()).messages.length, 2);
  network.end();
  await server.stop();
});

test('channels: a shared state is whole, also where one answer does not hold it', async () => {
  const server = await start('--channels', channels);
  const ben = flux(server.url);
  const board = ben.subscribe('board', {state: true});
  await opened(ben);
  const value = 'x'.repeat(10_000);
  for (let i = 0; i < 100; ++i) await board.set(`key ${i}`, value);
  const copy = flux(server.url).subscribe('board', {state: true});
  await next(copy, 'state'); // the snapshot
  assert.ok(copy.state.size < 100, 'one answer does not hold the state');
  const removed = board.remove('key 0');
  await until(() => copy.state.size === 99, 'all entries but the one that was removed', boundMs);
  assert.equal((await removed).changed, true);
  assert.ok([...copy.state].every(([key, entry]) => key !== 'key 0' && entry.value === value));
  await server.stop();
});

test('a client that waits to connect says until when, and connects at once if asked', async () => {
  const server = await start();
  const network = await Network.to(() => server.port);
  const ann = flux(network.url, {backoff: 1e9, backoffMax: 1e9});
  const garden = await ann.join('garden');
  await until(() => garden.members.size === 1, 'the room', boundMs);
  network.cut();
  await until(() => ann.state === 'waiting', 'a connection that is lost', boundMs);
  assert.ok(ann.retryAt > Date.now() + boundMs, `${ann.retryAt - Date.now()} ms`);
  const again = next(garden, 'joined');
  ann.retry();
  await again;
  assert.equal(ann.state, 'open');
  ann.retry(); // has no effect
  assert.equal(ann.state, 'open');
  network.end();
  await server.stop();
});

/**
 * Four clients read what one publishes, while their connections are cut and frozen and, with `kills`, the server is killed
 * and started again with what it has stored. Each must get every publication once, and all in one order.
 */
async function readThroughFailures(seed, {kills = false, total = 600} = {}) {
  console.log(`FLUX_SEED=${seed}`);
  const random = randomFrom(seed);
  const database = join(folder, `${seed}.sqlite`);
  const options = ['--channels', channels, '--channel-history', '100000',
    ...(kills ? ['--channel-store', `sqlite:${database}`] : [])];
  let server = await start(...options);
  const [readers, writers] = [await Network.to(() => server.port), await Network.to(() => server.port)];
  const seen = [];
  let recoveries = 0;
  const ours = [];
  const client = (network) => {
    ours.push(flux(network.url, {timeout: 1_000, heartbeat: 250}));
    return ours.at(-1);
  };
  for (let i = 0; i < 4; ++i) {
    const subscription = client(readers).subscribe('a');
    const got = [];
    seen.push(got);
    subscription.on('message', ({data}) => got.push(data));
    subscription.on('subscribed', ({recovered, reason}) => {
      // What never had a publication is not stored.
      if (got.length > 0) assert.notEqual(recovered, false, reason);
      recoveries += recovered ? 1 : 0;
    });
    await next(subscription, 'subscribed');
  }
  const writer = client(writers);
  await opened(writer);
  await writer.publish('a', -1);
  for (const got of seen) await until(() => got.length === 1, 'the first publication', boundMs);
  const published = [];
  for (let i = 0; i < total; ++i) {
    published.push(writer.publish('a', i));
    if (random(20) === 0) readers.cut();
    if (random(40) === 0) writers.cut();
    const frozen = [readers, writers][random(2)];
    if (random(60) === 0) {
      frozen.frozen = true;
      setTimeout(() => {
        frozen.frozen = false;
        frozen.cut(); // what it has swallowed is lost
      }, 50 + random(300));
    }
    if (kills && random(100) === 0) {
      await server.kill();
      server = await start(...options);
    }
    await new Promise((resolve) => setTimeout(resolve, random(8)));
  }
  await within(Promise.all(published), 'all publications are acknowledged', boundMs);
  for (const got of seen) {
    await until(() => got.length > total, () => `${got.length} of ${total + 1} publications`, boundMs);
    assert.equal(new Set(got).size, total + 1, 'each of them once');
    assert.equal(got.length, total + 1);
    assert.deepEqual(got, seen[0], 'in one order');
  }
  assert.ok(recoveries > 5, `${recoveries} recoveries`);
  for (const one of ours) one.close();
  for (const network of [readers, writers]) network.end();
  await server.stop();
  return recoveries;
}
const seeds = Number(process.env.FLUX_RUNS ?? 1);
const seedOf = (run) => Number(process.env.FLUX_SEED ?? Math.floor(Math.random() * 2 ** 31)) + run;

test('a network that is cut and frozen at random: every publication once and in order', async () => {
  for (let run = 0; run < seeds; ++run) await readThroughFailures(seedOf(run));
});

test('a server that is killed again and again, with a store: every publication once and in order', {skip: noSqlite},
  async () => {
    for (let run = 0; run < seeds; ++run) {
      const recoveries = await readThroughFailures(seedOf(run), {kills: true});
      if (seeds > 1) console.log(`${recoveries} recoveries`);
    }
  });

test('a server that was restarted says what is lost; presence and bound state are there again', async () => {
  let server = await start('--channels', channels, '--channel-history', '100');
  const network = await Network.to(() => server.port);
  const ann = flux(network.url);
  const subscription = ann.subscribe('a', {state: true});
  await next(subscription, 'subscribed');
  await subscription.publish(1);
  await subscription.enter({here: true});
  await subscription.set('cursor', [1, 2], {bound: true});
  await server.kill();
  const waiting = subscription.publish(2); // in the outbox
  server = await start('--channels', channels, '--channel-history', '100');
  const [again, message] = await Promise.all([next(subscription, 'subscribed'), next(subscription, 'message'), waiting]);
  assert.equal(again.recovered, false);
  assert.equal(message.data, 2);
  const ben = flux(server.url).subscribe('a', {state: true});
  await next(ben, 'subscribed');
  await until(() => ben.state.has('cursor'), 'the cursor', boundMs);
  assert.equal((await ben.members()).members[0].data.here, true);
  network.end();
  await server.stop();
});

test('a channel with a token of its own, which is renewed', async () => {
  const server = await startWithTokens('--channels', channels, '--channel-history', '100');
  const ann = flux(server.url, {token: token('ann', ['write:secret']), tokenPause: 10});
  assert.equal((await next(ann.subscribe('secret:5'), 'error')).code, 'FORBIDDEN');
  assert.equal((await next(ann.subscribe('secret:6', {token: token('ann', ['read:secret:5'])}), 'error')).code, 'FORBIDDEN');
  let asked = 0;
  const subscription = ann.subscribe('secret:5', {token: async (channel) => {
    if (++asked === 1) throw new Error('no token now');
    return token('ann', [`read:${channel}`], asked === 2 ? 2 : 600);
  }});
  const got = [];
  subscription.on('message', ({data}) => got.push(data));
  const [failed] = await Promise.all([next(subscription, 'error'), next(subscription, 'subscribed')]);
  assert.equal(failed.message, 'no token now');
  await subscription.publish(1);
  assert.equal((await next(subscription, 'subscribed')).recovered, true);
  await subscription.publish(2);
  await until(() => got.length === 2, 'both', boundMs);
  assert.deepEqual([got, asked], [[1, 2], 3]);
  await server.stop();
});

test('tokens: one that is refused is replaced; without another it ends; the outbox has its limit', async () => {
  const server = await start('--require-auth', '--api-keys', join(folder, 'keys'));
  let asked = 0;
  const ann = flux(server.url, {token: async () => `wrong-${++asked}`});
  assert.equal((await next(ann, 'closed')).code, 4401);
  assert.equal(asked, 2);
  assert.equal(ann.state, 'closed');
  const ben = flux('http://127.0.0.1:1', {outboxMax: 2});
  const waiting = [ben.publish('a', 1), ben.publish('a', 2)];
  await assert.rejects(ben.publish('a', 3), {code: 'OUTBOX_FULL'});
  ben.close();
  for (const publication of waiting) await assert.rejects(publication, {code: 'CLOSED'});
  await server.stop();
});

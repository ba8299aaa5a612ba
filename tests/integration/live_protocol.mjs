// Protocol live as clients see it: every message, and every member of every frame. Run with plain `node`.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';

import {LiveMember} from './support/live_member.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const presenceIntervalMs = 400;
const throttleMs = 100; // the server's default

let prompt; // sends presence at once
let coalescing;
const members = [];
let rooms = 0;

const newRoom = () => `room ${++rooms}`;
const keep = (member) => (members.push(member), member);
const open = async (url = prompt.url) => keep(await LiveMember.open(url));
const join = async (room, presence, url = prompt.url) => keep(await LiveMember.join(url, room, presence));
const keys = (object) => Object.keys(object).sort();
/** Entries of a coalesced frame: all members get the same one, which may include the receiver's own entry. */
const ofOthers = (entries, member) => entries.filter((entry) => entry.connectionId !== member.id);

/** Two members of a new room, with no frames left to read. */
async function pair() {
  const room = newRoom();
  const ada = await join(room);
  const ben = await join(room);
  await ada.next('presence_updated');
  return {room, ada, ben};
}

before(async () => {
  [prompt, coalescing] = await Promise.all([
    startServer(process.env.FLUX_SERVER, ['--port', '0', '--presence-interval', '0', '--public-history', '3']),
    startServer(process.env.FLUX_SERVER, ['--port', '0', '--presence-interval', String(presenceIntervalMs)]),
  ]);
});

after(async () => {
  await Promise.all(members.map((member) => member.close()));
  await Promise.all([prompt.stop(), coalescing.stop()]);
});

describe('the first two tables', () => {
  test('join_room: the first member gets room_joined with itself in the presence', async () => {
    const ada = await open();
    ada.send({type: 'join_room', payload: {roomId: 'first', presence: {x: 1}, name: 'Ada', email: 'ada@example.com'}});
    const frame = await ada.next('room_joined');
    assert.deepEqual(keys(frame), ['payload', 'type']);
    // The four members that existing clients read, and mode, position and serverTime.
    assert.deepEqual(keys(frame.payload), [
      'chatHistory',
      'connectionId',
      'mode',
      'position',
      'presence',
      'roomId',
      'serverTime',
    ]);
    assert.ok(Math.abs(frame.payload.serverTime - Date.now()) < 60_000);
    const {connectionId} = frame.payload;
    assert.match(connectionId, /^[0-9A-Za-z]{13}$/);
    assert.equal(frame.payload.roomId, 'first');
    const entry = {connectionId, name: 'Ada', email: 'ada@example.com', presence: {x: 1}};
    assert.deepEqual(frame.payload.presence, {[connectionId]: entry});
    assert.deepEqual(frame.payload.chatHistory, []);
    assert.equal(frame.payload.mode, 'live');
    assert.deepEqual(keys(frame.payload.position), ['epoch', 'offset']);
    await ada.expectNothing();
  });

  test('join_room: only a roomId gives an entry without name and email, and empty presence', async () => {
    const ada = await join(newRoom());
    assert.deepEqual(ada.welcome.presence, {[ada.id]: {connectionId: ada.id, presence: {}}});
  });

  test('join_room: optional members that are null count as absent', async () => {
    const ada = await open();
    await ada.enter(newRoom(), null, {name: null, email: null, accessToken: null});
    assert.deepEqual(ada.welcome.presence[ada.id], {connectionId: ada.id, presence: {}});
  });

  test('join_room: name and email in a second join do not replace the known identity', async () => {
    const ada = await open();
    await ada.enter(newRoom(), {}, {name: 'Ada'});
    await ada.enter(newRoom(), {}, {name: 'Ben', email: 'ben@example.com'});
    assert.deepEqual(ada.welcome.presence[ada.id], {connectionId: ada.id, name: 'Ada', presence: {}});
  });

  test('presence_updated: when a client joins, the others get its entry and it does not', async () => {
    const room = newRoom();
    const ada = await join(room, {at: 'a'});
    const ben = await join(room, {at: 'b'});
    assert.deepEqual(keys(ben.welcome.presence), [ada.id, ben.id].sort());
    const frame = await ada.next('presence_updated');
    assert.deepEqual(frame, {
      type: 'presence_updated',
      payload: {roomId: room, joined: [{connectionId: ben.id, presence: {at: 'b'}}]},
    });
    await ada.expectNothing();
    await ben.expectNothing();
  });

  test('update_presence: replaces the object; the others get the whole entry', async () => {
    const {room, ada, ben} = await pair();
    ada.send({type: 'update_presence', payload: {presence: {cursor: [1, 2.5], more: null}}});
    const frame = await ben.next('presence_updated');
    const entry = {connectionId: ada.id, presence: {cursor: [1, 2.5], more: null}};
    assert.deepEqual(frame, {type: 'presence_updated', payload: {roomId: room, updated: [entry]}});
    await ada.expectNothing();
    await ben.expectNothing();
    const late = await join(room);
    assert.deepEqual(late.welcome.presence[ada.id], entry);
  });

  test('broadcast_event: goes to all others with its payload unchanged, of any type or absent', async () => {
    const {room, ada, ben} = await pair();
    for (const payload of [{a: [1, {b: 'ü'}]}, [1, 2], 'text', 7.25, true, null, undefined]) {
      ada.send({type: 'broadcast_event', payload: {event: 'draw', payload}});
      const expected = {roomId: room, connectionId: ada.id, event: 'draw'};
      if (payload !== undefined) expected.payload = payload;
      assert.deepEqual(await ben.next('broadcast_event'), {type: 'broadcast_event', payload: expected});
    }
    await ada.expectNothing();
  });

  test('send_chat: goes to all members, the sender included, with id and time', async () => {
    const {room, ada, ben} = await pair();
    const begin = Date.now();
    ada.send({type: 'send_chat', payload: {message: 'hello "ü" \n', metadata: {color: 'red'}}});
    const mine = await ada.next('chat_message');
    assert.deepEqual(await ben.next('chat_message'), mine);
    assert.deepEqual(keys(mine), ['payload', 'type']);
    // The members that existing clients read, and offset.
    assert.deepEqual(keys(mine.payload), [
      'connectionId',
      'createdAt',
      'id',
      'message',
      'metadata',
      'offset',
      'roomId',
    ]);
    const {id, createdAt, ...rest} = mine.payload;
    const told = {roomId: room, connectionId: ada.id, message: 'hello "ü" \n', metadata: {color: 'red'}, offset: 1};
    assert.deepEqual(rest, told);
    assert.equal(typeof id, 'string');
    assert.ok(createdAt >= begin - 1000 && createdAt <= Date.now() + 1000);

    ben.send({type: 'send_chat', payload: {message: ''}});
    const bare = await ada.next('chat_message');
    assert.deepEqual(keys(bare.payload), ['connectionId', 'createdAt', 'id', 'message', 'offset', 'roomId']);
    assert.notEqual(bare.payload.id, id);
  });

  test('chatHistory: the newest 100, oldest first, as they were sent', async () => {
    const room = newRoom();
    const ada = await join(room);
    const sent = [];
    for (let i = 1; i <= 105; ++i) {
      ada.send({type: 'send_chat', payload: {message: `message ${i}`, metadata: i % 2 ? {i} : undefined}});
      sent.push((await ada.next('chat_message')).payload);
    }
    const ben = await join(room);
    assert.deepEqual(ben.welcome.chatHistory, sent.slice(5));
  });

  test('leave_room: without a payload it leaves the room; the others get left', async () => {
    const {room, ada, ben} = await pair();
    ada.send({type: 'leave_room'});
    assert.deepEqual(await ben.next('presence_updated'), {
      type: 'presence_updated',
      payload: {roomId: room, left: [ada.id]},
    });
    await assert.rejects(ada.request('broadcast_event', {event: 'e'}), {code: 'NOT_IN_ROOM'});
    ben.send({type: 'broadcast_event', payload: {event: 'after'}});
    await ben.expectNothing();
    await ada.expectNothing();
  });

  test('leave_room: for another room than the current one it is ignored', async () => {
    const {ada, ben} = await pair();
    ada.send({type: 'leave_room', payload: {roomId: 'elsewhere'}});
    await ada.request('broadcast_event', {event: 'still here'});
    await ben.next('broadcast_event');
    await ben.expectNothing();
  });

  test("leave_room: with the current room's id it leaves the room", async () => {
    const {room, ada, ben} = await pair();
    ada.send({type: 'leave_room', payload: {roomId: room}});
    assert.deepEqual((await ben.next('presence_updated')).payload.left, [ada.id]);
  });

  test('join_room: a client that is in a room leaves it for the new one', async () => {
    const {room, ada, ben} = await pair();
    const other = newRoom();
    await ada.enter(other, {});
    assert.deepEqual(await ben.next('presence_updated'), {
      type: 'presence_updated',
      payload: {roomId: room, left: [ada.id]},
    });
    await assert.rejects(ada.request('broadcast_event', {event: 'e', roomId: room}), {code: 'NOT_IN_ROOM'});
    await ben.request('broadcast_event', {event: 'alone'});
    await ada.expectNothing();
  });

  test('join_room: the same room again; the others see a leave and a join, or a change', async () => {
    const {room, ada, ben} = await pair();
    await ada.enter(room, {again: true});
    assert.deepEqual(ada.welcome.presence[ada.id].presence, {again: true});
    assert.equal(Object.keys(ada.welcome.presence).length, 2);
    await until(() => ben.frames.some((frame) => JSON.stringify(frame).includes('"again":true')), 'the new entry');
    await ben.request('leave_room', {roomId: 'x'});
    const there = new Set([ada.id]);
    for (const {payload} of ben.takeAll()) {
      for (const id of payload.left ?? []) there.delete(id);
      for (const entry of payload.joined ?? []) there.add(entry.connectionId);
    }
    assert.deepEqual([...there], [ada.id]);
    await ben.request('broadcast_event', {event: 'once'});
    await ada.next('broadcast_event');
    await ada.expectNothing();
  });

  test('a connection that ends: the others get left, once', async () => {
    const {room, ada, ben} = await pair();
    await ada.close();
    assert.deepEqual((await ben.next('presence_updated')).payload, {roomId: room, left: [ada.id]});
    await ben.expectNothing();
  });

  test('a connection that vanishes with a reset: the others get left, once', async () => {
    const {room, ada, ben} = await pair();
    ada.vanish();
    assert.deepEqual((await ben.next('presence_updated')).payload, {roomId: room, left: [ada.id]});
    await ben.expectNothing();
  });

  test('error: without an id it has only type and payload with code and message', async () => {
    const ada = await open();
    ada.send('{');
    const frame = await ada.next('error');
    assert.deepEqual(keys(frame), ['payload', 'type']);
    assert.deepEqual(keys(frame.payload), ['code', 'message']);
    assert.equal(frame.payload.code, 'INVALID_JSON');
    ada.send({type: 'no such type', payload: {}});
    assert.equal((await ada.next('error')).payload.code, 'INVALID_MESSAGE');
  });

  test('unknown members are ignored in both directions', async () => {
    const {room, ada, ben} = await pair();
    ada.send({type: 'broadcast_event', extra: [1], payload: {event: 'e', other: {deep: {}}}});
    assert.deepEqual((await ben.next('broadcast_event')).payload, {roomId: room, connectionId: ada.id, event: 'e'});
  });
});

describe('presence over time', () => {
  test('throttle: of updates within the window only the newest arrives when it ends', async () => {
    const {ada, ben} = await pair();
    const begin = performance.now();
    for (const n of [1, 2, 3, 4]) ada.send({type: 'update_presence', payload: {presence: {n}}});
    const first = await ben.next('presence_updated');
    assert.deepEqual(first.payload.updated, [{connectionId: ada.id, presence: {n: 1}}]);
    const second = await ben.next('presence_updated');
    assert.deepEqual(second.payload.updated, [{connectionId: ada.id, presence: {n: 4}}]);
    assert.ok(performance.now() - begin >= throttleMs - 1);
    await ben.expectNothing();
    // The window that the second one opened also covers what follows it.
    ada.send({type: 'update_presence', payload: {presence: {n: 5}}});
    assert.deepEqual((await ben.next('presence_updated')).payload.updated[0].presence, {n: 5});
    assert.ok(performance.now() - begin >= 2 * throttleMs - 2);
  });

  test('throttle: a member that leaves within the window changes nothing afterwards', async () => {
    const {ada, ben} = await pair();
    const other = newRoom();
    const eve = await join(other);
    for (const n of [1, 2]) ada.send({type: 'update_presence', payload: {presence: {n}}});
    await ada.enter(other, {fresh: true});
    assert.deepEqual((await ben.next('presence_updated')).payload.updated[0].presence, {n: 1});
    assert.deepEqual((await ben.next('presence_updated')).payload.left, [ada.id]);
    assert.deepEqual((await eve.next('presence_updated')).payload.joined[0].presence, {fresh: true});
    ada.send({type: 'update_presence', payload: {presence: {n: 3}}}); // delayed by the window that is still open
    assert.deepEqual((await eve.next('presence_updated')).payload.updated[0].presence, {n: 3});
    await ben.expectNothing();
    await eve.expectNothing();
  });

  test('coalescing: joins and updates within the interval come in one frame with the newest of each', async () => {
    const room = newRoom();
    const ada = await join(room, {}, coalescing.url);
    const others = await Promise.all([1, 2, 3].map((n) => join(room, {n}, coalescing.url)));
    await others[0].request('update_presence', {presence: {n: 'newest'}});
    const {payload} = await ada.next('presence_updated');
    assert.deepEqual(keys(payload), ['joined', 'roomId']);
    const told = Object.fromEntries(
      ofOthers(payload.joined, ada).map((entry) => [entry.connectionId, entry.presence.n]),
    );
    assert.deepEqual(told, {[others[0].id]: 'newest', [others[1].id]: 2, [others[2].id]: 3});
    await ada.expectNothing();
  });

  test('coalescing: a join and a leave of one connection cancel out', async () => {
    const room = newRoom();
    const ada = await join(room, {}, coalescing.url);
    const ben = await join(room, {}, coalescing.url);
    await ben.request('leave_room');
    const eve = await join(room, {}, coalescing.url);
    const {payload} = await ada.next('presence_updated');
    assert.deepEqual(keys(payload), ['joined', 'roomId']);
    assert.deepEqual(ofOthers(payload.joined, ada), [{connectionId: eve.id, presence: {}}]);
    await ada.expectNothing();
  });

  test('coalescing: a change of one member alone reaches all except itself', async () => {
    const room = newRoom();
    const ada = await join(room, {}, coalescing.url);
    const ben = await join(room, {}, coalescing.url);
    await ada.next('presence_updated');
    ben.takeAll();
    await ada.request('update_presence', {presence: {mine: 1}});
    const {payload} = await ben.next('presence_updated');
    assert.deepEqual(payload, {roomId: room, updated: [{connectionId: ada.id, presence: {mine: 1}}]});
    await ada.expectNothing();
  });

  test('coalescing: an event from a new member arrives after its entry', async () => {
    const room = newRoom();
    const ada = await join(room, {}, coalescing.url);
    const ben = await join(room, {}, coalescing.url);
    ben.send({type: 'broadcast_event', payload: {event: 'at once'}});
    const {payload} = await ada.next('presence_updated');
    assert.deepEqual(ofOthers(payload.joined, ada), [{connectionId: ben.id, presence: {}}]);
    await ada.next('broadcast_event');
  });
});

describe('acks and errors by id', () => {
  const ids = ['text', '', 'ü"\\', 0, -1, 1.5, 1e300];

  test('ids: strings and numbers are returned unchanged', async () => {
    const ada = await join(newRoom());
    for (const id of ids) {
      ada.send({type: 'update_presence', payload: {presence: {}}, id});
      assert.deepEqual(await ada.next('ack'), {type: 'ack', id});
      ada.send({type: 'unknown', payload: {}, id});
      const error = await ada.next('error');
      assert.deepEqual(keys(error), ['id', 'payload', 'type']);
      assert.equal(error.id, id);
    }
  });

  test('ids: a number past 2^64 is returned with every digit', async () => {
    const ada = await join(newRoom());
    const texts = [];
    ada.socket.on('message', (data) => texts.push(String(data)));
    ada.send('{"type":"leave_room","id":123456789012345678901234567890}');
    await ada.next('ack');
    assert.deepEqual(texts, ['{"type":"ack","id":123456789012345678901234567890}']);
  });

  test('acks: each request has the documented payload', async () => {
    const room = newRoom();
    const ada = await join(newRoom());
    const ack = async (type, payload) => {
      ada.send({type, payload, id: type});
      for (;;) {
        const frame = await until(() => ada.takeAll().find((one) => one.type === 'ack'), `the ack of ${type}`);
        assert.equal(frame.id, type);
        return frame;
      }
    };
    const bare = (type) => ({type: 'ack', id: type});
    const data = {type: 'string', content: 'x'};
    assert.deepEqual(await ack('create_room', {roomId: room, mode: 'history', capacity: 5}), {
      ...bare('create_room'),
      payload: {roomId: room},
    });
    assert.deepEqual(await ack('join_room', {roomId: room}), bare('join_room'));
    assert.deepEqual(await ack('update_presence', {presence: {}}), bare('update_presence'));
    assert.deepEqual(await ack('broadcast_event', {event: 'e'}), bare('broadcast_event'));
    const chat = await ack('send_chat', {message: 'm'});
    assert.deepEqual(keys(chat.payload), ['createdAt', 'id', 'offset']);
    const share = await ack('share', {data});
    assert.deepEqual(keys(share.payload), ['offset']);
    const history = await ack('get_history', {});
    assert.deepEqual(keys(history.payload), ['messages', 'roomId']);
    assert.deepEqual(keys((await ack('public_share', {data})).payload), ['offset']);
    assert.deepEqual(keys((await ack('public_history', {})).payload), ['items']);
    assert.deepEqual((await ack('public_delete_last', {})).payload, {deleted: true});
    assert.deepEqual(await ack('leave_room', {}), bare('leave_room'));
    assert.deepEqual(await ack('leave_room', {}), bare('leave_room'));
  });
});

describe('created rooms and shared data', () => {
  const data = (content) => ({type: 'string', content});

  test('create_room: does not join the room, exists once, and a join returns its mode', async () => {
    const room = newRoom();
    const ada = await open();
    await ada.request('create_room', {roomId: room, mode: 'singleton'});
    await ada.expectNothing();
    await assert.rejects(ada.request('broadcast_event', {event: 'e'}), {code: 'NOT_IN_ROOM'});
    const ben = await join(room);
    assert.equal(ben.welcome.mode, 'singleton');
    await assert.rejects(ben.request('create_room', {roomId: room, mode: 'live'}), {code: 'ROOM_EXISTS'});
  });

  test('capacity: a full room gives ROOM_FULL; when a member leaves, another can join', async () => {
    const room = newRoom();
    const [ada, ben, eve] = [await open(), await open(), await open()];
    await ada.request('create_room', {roomId: room, mode: 'live', capacity: 2});
    await ada.enter(room);
    await ben.enter(room);
    await ada.next('presence_updated');
    const before = newRoom();
    await eve.enter(before);
    await assert.rejects(eve.enter(room), {code: 'ROOM_FULL'});
    await eve.request('broadcast_event', {event: 'still where it was', roomId: before});
    await ada.expectNothing();
    await ben.request('leave_room');
    assert.deepEqual((await ada.next('presence_updated')).payload.left, [ben.id]);
    await eve.enter(room);
    assert.deepEqual(keys(eve.welcome.presence), [ada.id, eve.id].sort());
  });

  test('capacity: a member can join its own full room again', async () => {
    const room = newRoom();
    const ada = await open();
    await ada.request('create_room', {roomId: room, mode: 'history', capacity: 1});
    await ada.enter(room);
    await ada.request('share', {data: data('kept')});
    await ada.enter(room, {second: true});
    assert.deepEqual(ada.welcome.presence, {[ada.id]: {connectionId: ada.id, presence: {second: true}}});
  });

  test('share: mode live sends to the others, with an offset, and keeps nothing', async () => {
    const {room, ada, ben} = await pair();
    const {offset} = await ada.request('share', {data: data('x')});
    assert.deepEqual(await ben.next('room_data'), {
      type: 'room_data',
      payload: {roomId: room, connectionId: ada.id, data: data('x'), offset},
    });
    await ada.expectNothing();
    const late = await join(room);
    assert.ok(!('data' in late.welcome));
    assert.equal(late.welcome.position.offset, offset);
  });

  test('share: mode singleton sends to all; a new member gets the newest item', async () => {
    const room = newRoom();
    const ada = await open();
    await ada.request('create_room', {roomId: room, mode: 'singleton'});
    await ada.enter(room);
    assert.ok(!('data' in ada.welcome));
    await ada.request('share', {data: data('old')});
    const {offset} = await ada.request('share', {data: data('new')});
    for (const content of ['old', 'new']) assert.equal((await ada.next('room_data')).payload.data.content, content);
    const ben = await join(room);
    assert.deepEqual(ben.welcome.data, {connectionId: ada.id, data: data('new'), offset});
    assert.deepEqual(keys(ben.welcome), [
      'chatHistory',
      'connectionId',
      'data',
      'mode',
      'position',
      'presence',
      'roomId',
      'serverTime',
    ]);
  });

  test('share: mode history sends to all; a new member gets every item, oldest first', async () => {
    const room = newRoom();
    const ada = await open();
    await ada.request('create_room', {roomId: room, mode: 'history'});
    await ada.enter(room);
    assert.deepEqual(ada.welcome.data, []);
    const items = [];
    for (const content of ['a', 'b', 'c']) {
      const {offset} = await ada.request('share', {data: data(content)});
      items.push({connectionId: ada.id, data: data(content), offset});
      await ada.next('room_data');
    }
    const ben = await join(room);
    assert.deepEqual(ben.welcome.data, items);
    const offsets = items.map((item) => item.offset);
    assert.deepEqual(offsets, [offsets[0], offsets[0] + 1, offsets[0] + 2]);
  });

  test('rooms: when the last member leaves the room ends, and it is created again with another epoch', async () => {
    const room = newRoom();
    const ada = await open();
    await ada.request('create_room', {roomId: room, mode: 'history'});
    const first = await ada.enter(room);
    await ada.request('leave_room');
    const second = await ada.enter(room);
    assert.equal(second.mode, 'live');
    assert.notEqual(second.position.epoch, first.position.epoch);
    assert.equal(second.position.offset, 0);
  });

  test('rooms: a room that is never joined exists while its creator is connected, and ends with it', async () => {
    const room = newRoom();
    const [ada, ben] = [await open(), await open()];
    await ada.request('create_room', {roomId: room, mode: 'live'});
    await assert.rejects(ben.request('create_room', {roomId: room, mode: 'live'}), {code: 'ROOM_EXISTS'});
    await ada.close();
    await until(
      () =>
        ben.request('create_room', {roomId: room, mode: 'live'}).then(
          () => true,
          (error) => error.code !== 'ROOM_EXISTS',
        ),
      'the end of the room',
    );
  });

  test('rooms: a room created again under the same id does not end with the first creator', async () => {
    const room = newRoom();
    const [ada, ben] = [await open(), await open()];
    await ada.request('create_room', {roomId: room, mode: 'live'});
    await ada.enter(room);
    await ada.request('leave_room'); // which ends it
    await ben.request('create_room', {roomId: room, mode: 'history'});
    const witness = await join('where the maker is last');
    await ada.enter('where the maker is last');
    await witness.next('presence_updated');
    await ada.close();
    await witness.next('presence_updated'); // the server has noticed the disconnect
    assert.equal((await ben.enter(room)).mode, 'history');
  });
});

describe('history', () => {
  test('get_history: pages backwards to the beginning, each message once', async () => {
    const room = newRoom();
    const ada = await join(room);
    const sent = [];
    for (let i = 1; i <= 25; ++i) {
      await ada.request('send_chat', {message: `message ${i}`});
      sent.push((await ada.next('chat_message')).payload);
    }
    const read = [];
    for (let before; ;) {
      const page = await ada.request('get_history', {limit: 10, before});
      assert.equal(page.roomId, room);
      if (page.messages.length === 0) break;
      read.unshift(...page.messages);
      before = page.messages[0].offset;
      assert.ok(read.length <= 25);
    }
    assert.deepEqual(read, sent);
    const newest = await ada.request('get_history', {before: 0, limit: 1});
    assert.deepEqual(newest.messages, sent.slice(-1));
    assert.deepEqual((await ada.request('get_history', {before: Number.MAX_SAFE_INTEGER})).messages, sent);
    await ada.expectNothing();
  });

  test('chat: when all members have left, the history is kept for new ones', async () => {
    const room = newRoom();
    const ada = await join(room);
    await ada.request('send_chat', {message: 'kept'});
    await ada.close();
    const ben = await join(room);
    assert.deepEqual(
      ben.welcome.chatHistory.map((stored) => stored.message),
      ['kept'],
    );
  });
});

describe('the public space', () => {
  const data = (content) => ({type: 'string', content});
  const contents = (items) => items.map((item) => item.data.content);

  test('public_share, public_history, public_delete_last: one list, whose changes go to clients that asked', async () => {
    const [ada, ben, eve] = [await open(), await join(newRoom()), await join(newRoom())];
    while ((await ada.request('public_delete_last')).deleted);
    assert.deepEqual(await ada.request('public_history'), {items: []});
    await eve.expectNothing(); // it did not ask
    const first = await ben.request('public_share', {data: data('1')});
    const told = await ada.next('public_history');
    assert.deepEqual(told, {
      type: 'public_history',
      payload: {items: [{connectionId: ben.id, data: data('1'), offset: first.offset}]},
    });
    for (const content of ['2', '3', '4']) {
      await ben.request('public_share', {data: data(content)});
      await ada.next('public_history');
    }
    assert.deepEqual(contents((await ben.request('public_history')).items), ['2', '3', '4']); // --public-history 3
    assert.deepEqual(await eve.request('public_delete_last'), {deleted: true});
    for (const member of [ada, ben]) {
      assert.deepEqual(contents((await member.next('public_history')).payload.items), ['2', '3']);
    }
    while ((await eve.request('public_delete_last')).deleted);
    assert.deepEqual(await eve.request('public_delete_last'), {deleted: false});
    await eve.expectNothing();
    await ada.close();
    await ben.request('public_share', {data: data('after one has gone')});
  });
});

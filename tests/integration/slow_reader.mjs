// Slow readers: others are not delayed, memory is bounded, and they get the newest presence when they resume reading.
// Run with plain `node`.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {LiveMember} from './support/live_member.mjs';
import {bytesInKernel, residentBytes} from './support/process_use.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const megabyte = 1_048_576;
const outboxMax = 4 * megabyte; // the server's default
const closeSlowReader = 4413;
const latencyBoundMs = 250; // for one message, on a machine with other work

let server;

before(async () => {
  server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--presence-interval', '0']);
});
after(() => server.stop());

/** Two members that chat, and one that is about to stop reading. */
async function gather(room) {
  const ada = await LiveMember.join(server.url, room);
  const ben = await LiveMember.join(server.url, room);
  const slow = await LiveMember.join(server.url, room);
  await ada.next('presence_updated');
  await ada.next('presence_updated');
  await ben.next('presence_updated');
  return {ada, ben, slow};
}

test('a member that stops reading is closed at its outbox limit; the others are not delayed', async () => {
  const {ada, ben, slow} = await gather('one stops');
  const memory = residentBytes(server.pid);
  slow.pause();
  const payload = 'x'.repeat(32_768);
  const large = (outboxMax + 40 * megabyte) / payload.length; // plus what the kernel buffers
  const gone = (frame) => frame.payload?.left?.includes(slow.id);
  const times = [];
  let mostMemory = 0;
  const begin = performance.now();
  for (let sent = 0; !ben.frames.some(gone); ++sent) {
    const now = performance.now();
    assert.ok(now - begin < 15_000, 'the slow member was never given up');
    await ada.request('broadcast_event', {event: 'e', payload: sent < large ? payload : 'small'});
    await until(() => ben.takeAll().some((frame) => frame.type === 'broadcast_event'), 'the event');
    times.push(performance.now() - now);
    mostMemory = Math.max(mostMemory, residentBytes(server.pid) - memory);
  }
  // Of ten, one may be late: the machine may be busy. A server that waits for the slow member delays all of them.
  const usualMs = times.sort((a, b) => a - b)[Math.floor(times.length * 0.9)];
  assert.ok(usualMs < latencyBoundMs, `a message took ${usualMs} ms`);
  assert.ok(mostMemory < outboxMax + 12 * megabyte, `memory grew by ${mostMemory} bytes`);
  const late = await LiveMember.join(server.url, 'one stops');
  assert.deepEqual(Object.keys(late.welcome.presence).sort(), [ada.id, ben.id, late.id].sort());
  await late.close();
  slow.resume();
  assert.ok([closeSlowReader, 1006].includes((await slow.closed).code));
  await Promise.all([ada.close(), ben.close()]);
});

test('a member that reads again before it is dropped gets 4413 after the last whole frame', async () => {
  const {ada, ben, slow} = await gather('one comes back');
  slow.pause();
  const payload = 'x'.repeat(65_536);
  const count = (outboxMax + 12 * megabyte) / payload.length; // sent in less time than a closing handshake may take
  for (let i = 0; i < count; ++i) {
    await ada.request('broadcast_event', {event: 'e', payload: `${i} ${payload}`});
    await ben.next('broadcast_event');
  }
  slow.resume();
  const {code, reason} = await within(slow.closed, 'the close');
  assert.equal(code, closeSlowReader);
  assert.match(reason, /slow/);
  const events = slow.frames.filter((frame) => frame.type === 'broadcast_event');
  for (const [i, event] of events.entries()) assert.equal(event.payload.payload, `${i} ${payload}`); // whole, in order
  assert.ok(events.length < count);
  await Promise.all([ada.close(), ben.close()]);
});

test('a joiner of a room whose chat exceeds the outbox limit gets what fits, pages, and later messages', async () => {
  const ada = await LiveMember.join(server.url, 'a long history');
  const message = 'x'.repeat(60_000);
  for (let i = 0; i < 100; ++i) await ada.request('send_chat', {message});
  assert.ok(100 * message.length > outboxMax);
  for (let i = 0; i < 3; ++i) {
    const late = await LiveMember.join(server.url, 'a long history');
    const {chatHistory, more, chatBefore} = late.welcome;
    assert.ok(chatHistory.length > 0 && chatHistory.length < 100 && more, `${chatHistory.length} ${more}`);
    let stored = chatHistory.length;
    for (let before = chatBefore; before; ) {
      const page = await late.request('get_history', {limit: 1000, before});
      stored += page.messages.length;
      before = page.more ? page.before : 0;
    }
    assert.equal(stored, 100);
    await ada.request('broadcast_event', {event: 'after', payload: i});
    assert.equal((await late.next('broadcast_event')).payload.payload, i);
    await late.close();
  }
  await ada.close();
});

test('a congested member gets the newest presence when it reads again, not each one in between', async () => {
  const {ada, ben, slow} = await gather('presence only');
  slow.pause();
  const filler = 'x'.repeat(32_768);
  // More than the kernel buffers, less than the outbox holds.
  let fillers = 0;
  const inOutbox = () => fillers * filler.length - bytesInKernel(server.port, slow.socket._socket.localPort);
  for (; inOutbox() < megabyte; ++fillers) await ada.request('broadcast_event', {event: 'filler', payload: filler});
  const leaver = await LiveMember.join(server.url, 'presence only');
  const stayer = await LiveMember.join(server.url, 'presence only');
  const updates = 10;
  for (let n = 1; n <= updates; ++n) {
    ben.takeAll();
    await ada.request('update_presence', {presence: {n}});
    const told = (frame) => frame.payload?.updated?.some((entry) => entry.presence.n === n);
    await until(() => ben.frames.some(told), `update ${n}`); // 100 ms each: the throttle
  }
  await leaver.close();
  await until(() => ben.frames.some((frame) => frame.payload?.left?.includes(leaver.id)), 'the leave');

  slow.resume();
  const presence = () => slow.frames.filter((frame) => frame.type === 'presence_updated');
  await until(
    () => presence().some((frame) => JSON.stringify(frame).includes(`"n":${updates}`)),
    'the newest presence',
  );
  await slow.request('leave_room', {roomId: 'not this one'});
  assert.equal(slow.frames.filter((frame) => frame.type === 'broadcast_event').length, fillers);
  const values = presence().flatMap((frame) => (frame.payload.updated ?? []).map((entry) => entry.presence.n));
  assert.ok(values.length < updates, `it got every update: ${values}`);
  assert.equal(values.at(-1), updates);
  const there = new Set(Object.keys(slow.welcome.presence));
  for (const {payload} of presence()) {
    for (const entry of payload.joined ?? []) there.add(entry.connectionId);
    for (const id of payload.left ?? []) there.delete(id);
  }
  assert.deepEqual([...there].sort(), [ada.id, ben.id, slow.id, stayer.id].sort());
  await ada.request('broadcast_event', {event: 'as before'});
  await until(() => slow.frames.at(-1).payload?.event === 'as before', 'an event');
  await Promise.all([ada, ben, slow, stayer].map((member) => member.close()));
});

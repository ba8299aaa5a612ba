// permessage-deflate with real clients: in both directions, and rooms where only some members compress. Run with plain
// `node`.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {load} from './support/packages.mjs';
import {LiveMember} from './support/live_member.mjs';
import {inflated, RawPeer} from './support/raw_peer.mjs';
import {startServer} from './support/server_program.mjs';

const deflate = {perMessageDeflate: {threshold: 0}}; // compresses everything it sends
const long = 'the same words again '.repeat(500);
let server;

before(async () => {
  server = await startServer(process.env.FLUX_SERVER, [
    '--port',
    '0',
    '--deflate',
    '--presence-interval',
    '0',
    '--echo',
    '/echo',
  ]);
});
after(() => server.stop());

const enter = (room, options) => LiveMember.join(server.url, room, {}, options);

test('a client that offers compression gets it, without context takeover', async () => {
  const ada = await LiveMember.open(server.url, deflate);
  assert.equal(ada.socket.extensions, 'permessage-deflate');
  await ada.close();
  const plain = await LiveMember.open(server.url);
  assert.equal(plain.socket.extensions, '');
  await plain.close();
});

test('without --deflate the server does not agree to compression', async () => {
  const plain = await startServer(process.env.FLUX_SERVER, ['--port', '0']);
  const ada = await LiveMember.join(plain.url, 'room', {}, deflate);
  assert.equal(ada.socket.extensions, '');
  await ada.close();
  await plain.stop();
});

test('offers of every form get a response that the client can meet', async () => {
  for (const offer of [
    {serverNoContextTakeover: true},
    {clientNoContextTakeover: true},
    {serverNoContextTakeover: true, clientNoContextTakeover: true},
    {clientMaxWindowBits: 9},
    {clientMaxWindowBits: true},
    {serverMaxWindowBits: 15},
  ]) {
    const ada = await enter('offers', {perMessageDeflate: {threshold: 0, ...offer}});
    assert.equal(ada.socket.extensions, 'permessage-deflate', JSON.stringify(offer));
    for (const message of ['short', long, long]) {
      await ada.request('send_chat', {message});
      assert.equal((await ada.next('chat_message')).payload.message, message);
    }
    await ada.close();
  }
});

test('members with small windows and without compression each receive what all send', async () => {
  const members = [];
  for (const perMessageDeflate of [{serverMaxWindowBits: 9}, {serverMaxWindowBits: 12}, true, false]) {
    const member = await enter('windows', {perMessageDeflate});
    assert.equal(member.socket.extensions, perMessageDeflate ? 'permessage-deflate' : '');
    for (const before of members) await before.next('presence_updated');
    members.push(member);
  }
  const message = Array.from({length: 400}, (_, i) => `${i * i * 7919} line ${i % 13}`).join(' ').repeat(3);
  for (const sender of members) {
    await sender.request('send_chat', {message});
    for (const member of members) assert.equal((await member.next('chat_message')).payload.message, message);
  }
  for (const member of members) await member.close();
});

test('a mixed room: long and short messages from each member reach all of them unchanged', async () => {
  const members = [];
  for (const options of [deflate, {}, deflate, {}, {perMessageDeflate: true}]) {
    members.push(await enter('mixed', options));
    for (const before of members.slice(0, -1)) await before.next('presence_updated');
  }
  const messages = ['short', long, 'ü€😀'.repeat(2_000), '{"json":"inside"}'.repeat(50), 'x'.repeat(60_000)];
  for (const [i, message] of messages.entries()) {
    for (const sender of members) {
      await sender.request('send_chat', {message});
      for (const member of members) {
        const {payload} = await member.next('chat_message');
        assert.equal(payload.message, message);
        assert.equal(payload.connectionId, sender.id);
      }
      await sender.request('broadcast_event', {event: 'e', payload: {i, message}});
      for (const member of members.filter((one) => one !== sender)) {
        assert.deepEqual((await member.next('broadcast_event')).payload.payload, {i, message});
      }
    }
  }
  for (const member of members) await member.expectNothing();
  await Promise.all(members.map((member) => member.close()));
});

test('a compressed frame is small on the wire, and a short one is sent uncompressed', async () => {
  const peer = await RawPeer.upgrade(server.port, '/live', {'Sec-WebSocket-Extensions': 'permessage-deflate'});
  await peer.join('wire');
  const ada = await enter('wire');
  await peer.frame(); // presence
  await ada.request('broadcast_event', {event: 'e', payload: long});
  const compressed = await peer.frame();
  assert.equal(compressed.rsv, 4);
  assert.ok(compressed.payload.length < 300);
  assert.equal(JSON.parse(inflated(compressed.payload)).payload.payload, long);
  await ada.request('broadcast_event', {event: 'e'});
  const short = await peer.frame();
  assert.equal(short.rsv, 0);
  peer.destroy();
  await ada.close();
});

const echoes = async (windows) => {
  const {WebSocket} = load('ws');
  const socket = new WebSocket(new URL('echo', server.url.replace('http', 'ws')), {
    perMessageDeflate: {threshold: 0, ...windows},
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  assert.equal(socket.extensions, 'permessage-deflate');
  // Repeats itself at distances below and above the smallest window.
  const varied = Buffer.from(Array.from({length: 100_000}, (_, i) => `${(i * i * 7919) % 10_007} ${i % 700}`).join(' '));
  for (const size of [0, 1, 125, 126, 127, 128, 16_384, 65_535, 65_536, 500_000]) {
    for (const message of ['x'.repeat(size), Buffer.alloc(size, 'ab'), varied.subarray(0, size)]) {
      const answer = new Promise((resolve) => socket.once('message', (data, isBinary) => resolve({data, isBinary})));
      socket.send(message);
      const {data, isBinary} = await answer;
      assert.equal(isBinary, typeof message !== 'string');
      assert.ok(data.equals(Buffer.from(message)), `${size}`);
    }
  }
  socket.close();
};

for (const serverBits of [15, 12, 9]) {
  for (const clientBits of [15, 9]) {
    test(`the raw endpoint echoes messages of every size, compressed, windows of ${serverBits} and ${clientBits} bits`, () =>
      echoes({serverMaxWindowBits: serverBits, clientMaxWindowBits: clientBits}));
  }
}

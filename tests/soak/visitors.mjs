// Kinds of clients. Each connects, acts for a while and disconnects, cleanly or not; errors are thrown.

import {once} from 'node:events';

import {load} from '../integration/support/packages.mjs';
import {within} from '../integration/support/wait.mjs';

const rooms = 40;
const answerBoundMs = 20_000;
// The close follows what the kernel has accepted for a client that paused reading: up to 2.5 MB, which it sends a window
// of 64 kB at a time, four times a second.
const closeBoundMs = 60_000;
const slowReader = 4413; // flux::CloseCode::slow_reader: visitors that pause reading may be closed with it

const roomOf = (random) => `room ${random.whole(1, rooms)}`;
const text = (random) => 'x'.repeat(random.chance(0.02) ? 50_000 : random.whole(0, 300));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Acts now and then for some seconds. */
async function stay(random, end, act) {
  const leaves = Math.min(end, Date.now() + random.whole(500, 20_000));
  while (Date.now() < leaves) {
    await pause(Math.min(random.whole(200, 6_000), Math.max(0, leaves - Date.now())));
    await act();
  }
}

const liveActs = [
  (random) => ['join_room', {roomId: roomOf(random), presence: {x: random.next()}}],
  (random) => ['leave_room', random.chance(0.5) ? {} : {roomId: roomOf(random)}],
  (random) => ['update_presence', {presence: {x: random.next()}}],
  (random) => ['broadcast_event', {event: 'e', payload: text(random)}],
  (random) => ['send_chat', {message: text(random)}],
  (random) => ['create_room', {roomId: roomOf(random), mode: random.oneOf(['live', 'singleton', 'history'])}],
  (random) => ['share', {data: {type: 'string', content: text(random)}}],
  (random) => ['get_history', {limit: random.whole(1, 1000)}],
  (random) => ['public_share', {data: {type: 'string', content: text(random)}}],
  () => ['public_history', {}],
  () => ['public_delete_last', {}],
  () => ['no_such_request', {}],
];

async function visitLive(url, random, end, options) {
  const {WebSocket} = load('ws');
  const socket = new WebSocket(new URL('live', url.replace('http', 'ws')), options);
  socket.on('error', () => {}); // `close` follows
  const closed = once(socket, 'close');
  await within(Promise.race([once(socket, 'open'), closed.then(refused)]), 'open', answerBoundMs);
  let id = 0;
  const ask = (type, payload) => socket.send(JSON.stringify({type, payload, id: ++id})); // ignored once it is closed
  ask('join_room', {roomId: roomOf(random), presence: {x: 0}});
  await stay(random, end, () => {
    if (random.chance(0.05)) return socket.send(random.oneOf(['{', '[]', '"\\ud800"', '{"type":1}', '']));
    if (random.chance(0.05)) return pauseReading(socket, random);
    ask(...random.oneOf(liveActs)(random));
  });
  const closedBefore = socket.readyState !== WebSocket.OPEN;
  if (random.chance(0.3)) socket.terminate();
  else socket.close();
  const [code] = await within(closed, 'the close', closeBoundMs);
  if (closedBefore && code !== slowReader) throw new Error(`closed by the server with ${code}`);
}

function refused() {
  throw new Error('refused, or closed at once');
}

async function pauseReading(socket, random) {
  socket._socket?.pause();
  await pause(random.whole(100, 3_000));
  socket._socket?.resume();
}

const sharingActs = [
  (random) => ['room:join', roomOf(random)],
  (random) => ['room:leave', roomOf(random)],
  (random) => ['room:create', {roomId: roomOf(random), capacity: 50, mode: random.oneOf(['live', 'singleton', 'history'])}],
  (random) => ['room:upload', {roomId: roomOf(random), data: {type: 'string', content: text(random)}}],
  (random) => ['room:upload', {
    roomId: roomOf(random),
    data: {type: 'file', content: Buffer.alloc(random.whole(1, 100_000)), fileName: 'f.bin', mimeType: 'a/b'},
  }],
  (random) => ['room:history', roomOf(random)],
  (random) => ['room:chat', {roomId: roomOf(random), message: text(random)}],
  (random) => ['room:chatHistory', {roomId: roomOf(random), limit: 1000}],
  (random) => ['room:event', {roomId: roomOf(random), event: 'e', payload: text(random)}],
  (random) => ['room:presence', {roomId: roomOf(random), presence: {x: random.next()}}],
  (random) => ['room:members', roomOf(random)],
  () => ['room:list', {limit: 100}],
  (random) => ['public:upload', {type: 'string', content: text(random)}],
  (random) => ['public:upload', {type: 'file', content: Buffer.alloc(random.whole(1, 50_000)), fileName: 'f', mimeType: 'a/b'}],
  () => ['public:deleteLast'],
  () => ['nobody knows this', 1, [2], {three: 3}],
];

async function visitSocketIo(url, random, end, transports) {
  const {io} = load('socket.io-client');
  const socket = io(url, {transports, forceNew: true, reconnection: false, timeout: answerBoundMs});
  const connected = new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  try {
    await within(connected, 'connect', answerBoundMs);
    socket.emit('room:create', {roomId: roomOf(random), capacity: 50, mode: 'history'}, () => {});
    await stay(random, end, () => {
      const [event, ...args] = random.oneOf(sharingActs)(random);
      if (random.chance(0.7)) args.push(() => {});
      socket.emit(event, ...args);
    });
    if (random.chance(0.3)) socket.io.engine?.transport?.ws?.terminate?.();
  } finally {
    socket.disconnect();
  }
}

async function visitFiles(url, random, end) {
  const files = new URL('files', url);
  const known = [];
  await stay(random, end, async () => {
    if (known.length > 0 && random.chance(0.4)) {
      const answer = await fetch(new URL(`files/${random.oneOf(known)}`, url));
      if (random.chance(0.8)) await answer.arrayBuffer();
      else await answer.body?.cancel();
      return;
    }
    const whole = Buffer.alloc(random.whole(1, 200_000));
    if (random.chance(0.5)) {
      const answer = await fetch(new URL('?filename=f.bin', files), {method: 'POST', body: whole});
      const told = await answer.json();
      if (answer.status !== 201) throw new Error(`upload: ${answer.status} ${JSON.stringify(told)}`);
      known.push(told.fileId);
      return;
    }
    const tus = {'Tus-Resumable': '1.0.0'};
    const created = await fetch(files, {method: 'POST', headers: {...tus, 'Upload-Length': String(whole.length)}});
    if (created.status !== 201) throw new Error(`tus creation: ${created.status} ${await created.text()}`);
    if (random.chance(0.3)) return; // left unfinished
    const half = random.chance(0.5) ? whole.length >> 1 : whole.length;
    const place = new URL(created.headers.get('location'), files);
    const headers = {...tus, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0'};
    const sent = await fetch(place, {method: 'PATCH', headers, body: whole.subarray(0, half)});
    if (sent.status !== 204) throw new Error(`tus upload: ${sent.status} ${await sent.text()}`);
    if (half < whole.length && random.chance(0.5)) await fetch(place, {method: 'DELETE', headers: tus});
  });
}

async function visitHttp(url, random, end) {
  await stay(random, end, async () => {
    const path = random.oneOf(['nothing', 'files/no-such-file', 'test/stats', '', 'socket.io/?EIO=4', 'live']);
    await (await fetch(new URL(path, url), {method: random.oneOf(['GET', 'HEAD', 'DELETE'])})).arrayBuffer();
  });
}

export const visitors = {
  live: (url, random, end) => visitLive(url, random, end, {perMessageDeflate: false}),
  'live, offering deflate': (url, random, end) => visitLive(url, random, end, {}),
  'Socket.IO': (url, random, end) => visitSocketIo(url, random, end, ['polling', 'websocket']),
  'Socket.IO, WebSocket': (url, random, end) => visitSocketIo(url, random, end, ['websocket']),
  'Socket.IO, polling': (url, random, end) => visitSocketIo(url, random, end, ['polling']),
  files: visitFiles,
  HTTP: visitHttp,
};

// Bad WebSocket frames and handshakes: the right close code or HTTP status, and nobody else is affected.
// Run with plain `node`; needs the openssl command.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {deflateRawSync} from 'node:zlib';

import {Bystanders, isClosed} from './support/bystanders.mjs';
import {makeCertificate} from './support/certificate.mjs';
import {LiveMember} from './support/live_member.mjs';
import {openDescriptors, residentBytes} from './support/process_use.mjs';
import {frame, opcode, RawPeer, upgradeRequest} from './support/raw_peer.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const maxMessageBytes = 65_536;
const megabyte = 1_048_576;
const handshakeTimeoutMs = 10_000; // the server's
const {continuation, text, binary, close, ping, pong} = opcode;
const deflate = {'Sec-WebSocket-Extensions': 'permessage-deflate'};

let server;

before(async () => {
  const options = [
    '--presence-interval',
    '0',
    '--deflate',
    '--max-message',
    String(maxMessageBytes),
    '--echo',
    '/echo',
  ];
  server = await startServer(process.env.FLUX_SERVER, ['--port', '0', ...options]);
});
after(() => server.stop());

/** Each of `attempts`, sent on its own connection, must be answered by a close with `code`. */
function closes(name, code, clear, ...attempts) {
  test(`${name}: closes with ${code}`, async () => {
    for (const bytes of attempts) {
      const reason = await isClosed(server, code, (peer) => peer.write(bytes));
      assert.match(reason, clear);
    }
  });
}

/** A message as `permessage-deflate` sends it. */
function compressed(payload) {
  const bytes = deflateRawSync(payload, {finishFlush: 2}); // Z_SYNC_FLUSH; its last four bytes are omitted
  return frame(text, bytes.subarray(0, -4), {rsv: 4});
}

const valid = JSON.stringify({type: 'leave_room', payload: {roomId: 'not this one'}});

describe('frames that break the framing', () => {
  closes(
    'an unmasked frame',
    1002,
    /not masked/,
    frame(text, valid, {masked: false}),
    frame(ping, '', {masked: false}),
    frame(close, Buffer.from([3, 232]), {masked: false}),
  );
  closes('a reserved bit', 1002, /RSV|compress/, ...[1, 2, 3, 4, 7].map((rsv) => frame(text, valid, {rsv})));
  closes('a reserved bit of a control frame', 1002, /RSV|compress/, ...[1, 2, 4].map((rsv) => frame(ping, '', {rsv})));
  closes('a reserved opcode', 1002, /reserved/, ...[3, 4, 7, 11, 15].map((kind) => frame(kind, 'x')));
  closes(
    'a fragmented control frame',
    1002,
    /fragmented/,
    ...[ping, pong, close].map((kind) => frame(kind, '', {fin: false})),
  );
  closes(
    'a control frame of more than 125 bytes',
    1002,
    /125/,
    ...[ping, pong, close].map((kind) => frame(kind, 'x'.repeat(126))),
  );
  closes('a continuation of nothing', 1002, /continu/, frame(continuation, 'x'), frame(continuation, '', {fin: false}));
  closes(
    'a message within a fragmented message',
    1002,
    /within a fragmented message/,
    Buffer.concat([frame(text, '{', {fin: false}), frame(text, '}')]),
    Buffer.concat([frame(text, '{', {fin: false}), frame(continuation, '', {fin: false}), frame(binary, '}')]),
  );
  closes('a close frame of one byte', 1002, /1 byte/, frame(close, 'x'));
  closes(
    'a close code that may not be sent',
    1002,
    /may not be sent/,
    ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535].map((code) =>
      frame(close, Buffer.from([code >> 8, code & 255])),
    ),
  );
  closes('a close reason that is not UTF-8', 1007, /UTF-8/, frame(close, Buffer.from([3, 232, 0xff])));
  closes(
    'a length in more bytes than it needs',
    1002,
    /more than it needs/,
    frame(text, valid, {lengthBytes: 2}),
    frame(text, valid, {lengthBytes: 8}),
    frame(text, 'x'.repeat(300), {lengthBytes: 8}),
  );
});

describe('text that is not UTF-8', () => {
  const bad = [
    [0xff],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xe2, 0x82],
    [0x80],
    [0xf8, 0x88, 0x80, 0x80, 0x80],
  ];
  const around = (bytes) => Buffer.concat([Buffer.from('{"type":"'), Buffer.from(bytes), Buffer.from('"}')]);
  closes('in one frame', 1007, /UTF-8/, ...bad.map((bytes) => frame(text, around(bytes))));
  closes('at the end of the message', 1007, /UTF-8/, frame(text, Buffer.from([0x22, 0xe2, 0x82])));
  closes(
    'cut by fragments',
    1007,
    /UTF-8/,
    Buffer.concat([frame(text, Buffer.from([0x22, 0xe2]), {fin: false}), frame(continuation, Buffer.from([0x22]))]),
    Buffer.concat([frame(text, Buffer.from([0x22, 0xe2, 0x82]), {fin: false}), frame(continuation, '')]),
  );

  test('a code point split between fragments is valid', async () => {
    const peer = await RawPeer.upgrade(server.port);
    const bytes = Buffer.from('{"type":"€"}');
    const cut = bytes.indexOf(0xe2) + 1;
    peer.write(
      Buffer.concat([frame(text, bytes.subarray(0, cut), {fin: false}), frame(continuation, bytes.subarray(cut))]),
    );
    assert.match((await peer.json()).payload.message, /"€"/);
    peer.destroy();
  });
});

describe('lengths', () => {
  closes(
    'a message over the limit',
    1009,
    /larger than 65536/,
    frame(text, 'x'.repeat(maxMessageBytes + 1)),
    Buffer.concat([frame(text, 'x'.repeat(maxMessageBytes), {fin: false}), frame(continuation, 'x')]),
  );
  closes(
    'a declared length of up to 2^63 - 1 bytes',
    1009,
    /larger than 65536/,
    frame(text, '', {length: 2n ** 62n}),
    frame(text, '', {length: 2n ** 63n - 1n}),
    frame(binary, '', {length: 2n ** 32n}),
    Buffer.concat([frame(text, 'x'.repeat(100), {fin: false}), frame(continuation, '', {length: 2n ** 63n - 1n})]),
  );
  closes(
    'a declared length of 2^63 bytes and more',
    1002,
    /2\^63/,
    frame(text, '', {length: 2n ** 63n}),
    frame(text, '', {length: 2n ** 64n - 1n}),
  );

  test('a message of exactly the limit is read', async () => {
    const peer = await RawPeer.upgrade(server.port);
    const begin = '{"type":"leave_room","id":1,"payload":{"x":"';
    peer.write(frame(text, `${begin}${'x'.repeat(maxMessageBytes - begin.length - 3)}"}}`));
    assert.deepEqual(await peer.json(), {type: 'ack', id: 1});
    peer.destroy();
  });

  test('a declared length beyond what is sent delays nobody and reserves no memory', async () => {
    const bystanders = await Bystanders.gather(server.url);
    const before = residentBytes(server.pid);
    const peers = await Promise.all(Array.from({length: 200}, () => RawPeer.upgrade(server.port)));
    for (const peer of peers) peer.write(frame(text, 'x'.repeat(100), {length: BigInt(maxMessageBytes)}));
    await bystanders.unharmed();
    assert.ok(residentBytes(server.pid) - before < 4 * megabyte, 'memory was reserved for what was announced');
    assert.ok(peers.every((peer) => peer.isOpen));
    for (const peer of peers) peer.destroy();
    await bystanders.unharmed();
    await bystanders.close();
  });

  test('a message sent byte by byte is read', async () => {
    const peer = await RawPeer.upgrade(server.port);
    for (const byte of frame(text, '{"type":"leave_room","id":"slowly"}')) peer.write(Buffer.from([byte]));
    assert.deepEqual(await peer.json(), {type: 'ack', id: 'slowly'});
    peer.destroy();
  });
});

describe('compression', () => {
  test('deflate bombs close with 1009 and cost no memory', async () => {
    const before = residentBytes(server.pid);
    const bomb = compressed(Buffer.alloc(50 * megabyte, ' '));
    assert.ok(bomb.length < maxMessageBytes);
    for (let i = 0; i < 5; ++i) {
      const reason = await isClosed(server, 1009, (peer) => peer.write(bomb), deflate);
      assert.match(reason, /inflates to more than 65536/);
    }
    assert.ok(residentBytes(server.pid) - before < 8 * megabyte);
  });

  test('a bomb in fragments closes with 1009', async () => {
    const bytes = deflateRawSync(Buffer.alloc(10 * megabyte), {finishFlush: 2}).subarray(0, -4);
    await isClosed(
      server,
      1009,
      (peer) => {
        peer.write(frame(text, bytes.subarray(0, 100), {fin: false, rsv: 4}));
        peer.write(frame(continuation, bytes.subarray(100)));
      },
      deflate,
    );
  });

  test('data that is not DEFLATE closes with 1007', async () => {
    const noData = [Buffer.from('nonsense that is no deflate'), Buffer.from([0xff, 0xff, 0xff, 0xff])];
    for (const bytes of noData) {
      await isClosed(server, 1007, (peer) => peer.write(frame(text, bytes, {rsv: 4})), deflate);
    }
  });

  test('data that does not inflate to UTF-8 closes with 1007', () =>
    isClosed(server, 1007, (peer) => peer.write(compressed(Buffer.from([0x22, 0xff, 0x22]))), deflate));

  test('RSV1 on a continuation or a ping closes with 1002', async () => {
    const attempts = [
      Buffer.concat([frame(text, '{', {fin: false}), frame(continuation, '}', {rsv: 4})]),
      frame(ping, 'x', {rsv: 4}),
    ];
    for (const bytes of attempts) await isClosed(server, 1002, (peer) => peer.write(bytes), deflate);
  });

  test('a message after one with a final block is read', async () => {
    const peer = await RawPeer.upgrade(server.port, '/live', deflate);
    const message = (id) => JSON.stringify({type: 'leave_room', id});
    peer.write(frame(text, Buffer.concat([deflateRawSync(message(1)), Buffer.from([0])]), {rsv: 4}));
    assert.deepEqual(await peer.json(), {type: 'ack', id: 1});
    peer.write(compressed(message(2)));
    assert.deepEqual(await peer.json(), {type: 'ack', id: 2});
    peer.destroy();
  });
});

describe('slow input', {concurrency: true}, () => {
  const endsInTime = async (begin, isAnswered) => {
    const bystanders = await Bystanders.gather(server.url);
    const peer = await RawPeer.connect(server.port);
    if (begin !== '') peer.write(begin);
    await peer.ended(handshakeTimeoutMs + 5_000);
    assert.ok(peer.endedAfterMs > handshakeTimeoutMs - 2_000, `ended after ${peer.endedAfterMs} ms`);
    if (isAnswered) assert.equal((await peer.response()).status, 408);
    else assert.equal(peer.unread.length, 0);
    await bystanders.unharmed();
    await bystanders.close();
  };
  test('nothing is sent: ends after the handshake timeout', () => endsInTime('', false));
  test('half a request line: 408 after the handshake timeout', () => endsInTime('GET /li', true));
  test('half a head: 408 after the handshake timeout', () => endsInTime(upgradeRequest().slice(0, -3), true));

  test('half a TLS handshake: ends after the handshake timeout', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'flux-tls-'));
    const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
    makeCertificate(certificate, key, 'localhost');
    const encrypted = await startServer(process.env.FLUX_SERVER, [
      ...['--port', '0', '--tls-cert', certificate, '--tls-key', key],
    ]);
    const silent = await RawPeer.connect(encrypted.port);
    const half = await RawPeer.connect(encrypted.port);
    half.write('\x16\x03\x01\x02\x00\x01');
    for (const peer of [silent, half]) {
      await peer.ended(handshakeTimeoutMs + 5_000);
      assert.ok(peer.endedAfterMs > handshakeTimeoutMs - 2_000, `ended after ${peer.endedAfterMs} ms`);
    }
    await encrypted.stop();
    rmSync(folder, {recursive: true});
  });

  test('a head that trickles in: 408 after the handshake timeout', async () => {
    const peer = await RawPeer.connect(server.port);
    peer.write('GET /live HTTP/1.1\r\nHost: localhost\r\n');
    const trickle = setInterval(() => peer.write('X-More: 1\r\n'), 200);
    await peer.ended(handshakeTimeoutMs + 5_000).finally(() => clearInterval(trickle));
    assert.ok(peer.endedAfterMs > handshakeTimeoutMs - 2_000, `ended after ${peer.endedAfterMs} ms`);
    assert.equal((await peer.response()).status, 408);
    peer.destroy();
  });

  test('pings from a client that does not read are at some point no longer read, and little is kept', async () => {
    const bystanders = await Bystanders.gather(server.url);
    const before = residentBytes(server.pid);
    const member = await LiveMember.open(server.url);
    member.pause();
    const pings = Buffer.concat(Array(1_000).fill(frame(ping, 'x'.repeat(125))));
    const socket = member.socket._socket;
    // Paused: this side cannot send what it has for many turns of the server.
    let stuck = 0;
    await until(
      async () => {
        const sent = socket.bytesWritten - socket.writableLength;
        if (socket.writableLength < megabyte) socket.write(pings);
        await bystanders.unharmed();
        stuck = socket.bytesWritten - socket.writableLength === sent && socket.writableLength >= megabyte ? stuck + 1 : 0;
        return stuck === 10;
      },
      'the server to stop reading',
      20_000,
    );
    assert.ok(!socket.destroyed);
    assert.ok(residentBytes(server.pid) - before < 16 * megabyte);
    member.resume();
    await member.close();
    await bystanders.close();
  });

  test('SIGTERM with clients that never answer: exits with 0 after its grace period', async () => {
    const ending = await startServer(process.env.FLUX_SERVER, ['--port', '0']);
    const deaf = await RawPeer.upgrade(ending.port); // does not send its half of the closing handshake
    const begin = performance.now();
    await ending.stop();
    assert.ok(performance.now() - begin < 8_000);
    assert.equal((await deaf.frame()).payload.readUInt16BE(0), 1001);
    await deaf.ended();
  });
});

describe('handshakes', () => {
  test('an invalid upgrade is refused with the reason', async () => {
    const attempts = [
      [426, {'Sec-WebSocket-Version': '12'}],
      [426, {'Sec-WebSocket-Version': undefined}],
      [400, {'Sec-WebSocket-Key': undefined}],
      [400, {'Sec-WebSocket-Key': 'short'}],
      [400, {'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=!'}],
      [426, {Connection: 'close'}],
      [426, {Upgrade: 'h2c'}],
      [400, {Host: undefined}],
      [404, {}, '/nowhere'],
      [404, {}, '/live/'],
      [404, {}, '/LIVE'],
    ];
    for (const [status, fields, path] of attempts) {
      const peer = await RawPeer.connect(server.port);
      const answer = await peer.request(upgradeRequest(path, fields));
      assert.equal(answer.status, status, `${JSON.stringify(fields)} ${path}: ${answer.body}`);
      assert.ok(answer.body.length > 0);
      peer.destroy();
    }
    const peer = await RawPeer.connect(server.port);
    const post = upgradeRequest().replace('GET', 'POST');
    assert.equal((await peer.request(post)).status, 405);
    peer.destroy();
  });

  test('invalid extensions and subprotocols are not agreed to', async () => {
    for (const offer of [
      'permessage-deflate; server_max_window_bits=99',
      'permessage-deflate; x="',
      ',,;;==',
      'x'.repeat(4_000),
    ]) {
      const peer = await RawPeer.connect(server.port);
      const answer = await peer.request(
        upgradeRequest('/live', {'Sec-WebSocket-Extensions': offer, 'Sec-WebSocket-Protocol': ',,'}),
      );
      assert.equal(answer.status, 101);
      assert.equal(answer.headers['sec-websocket-extensions'], undefined);
      assert.equal(answer.headers['sec-websocket-protocol'], undefined);
      peer.destroy();
    }
  });

  test('frames in the same packet as the handshake are read', async () => {
    const peer = await RawPeer.connect(server.port);
    peer.write(Buffer.concat([Buffer.from(upgradeRequest()), frame(text, '{"type":"leave_room","id":1}')]));
    assert.equal((await peer.response()).status, 101);
    assert.deepEqual(await peer.json(), {type: 'ack', id: 1});
    peer.destroy();
  });
});

describe('floods', () => {
  test('pings from a client that reads are answered in order', async () => {
    const bystanders = await Bystanders.gather(server.url);
    const peer = await RawPeer.upgrade(server.port);
    const count = 20_000;
    peer.write(Buffer.concat(Array.from({length: count}, (_, i) => frame(ping, String(i)))));
    await bystanders.unharmed();
    for (let i = 0; i < count; ++i) {
      const answer = await peer.frame();
      if (i % 1000 === 0) assert.equal(`${answer.opcode} ${answer.payload}`, `${pong} ${i}`);
    }
    peer.destroy();
    await bystanders.close();
  });

  test('tiny fragments are limited by the number of frames', async () => {
    const before = residentBytes(server.pid);
    const reason = await isClosed(server, 1009, (peer) => {
      peer.write(frame(text, '', {fin: false}));
      peer.write(Buffer.concat(Array(100_000).fill(frame(continuation, '', {fin: false}))));
    });
    assert.match(reason, /frames/);
    assert.ok(residentBytes(server.pid) - before < 8 * megabyte);
  });

  test('a message in some hundred fragments with pings in between is read', async () => {
    const peer = await RawPeer.upgrade(server.port);
    const bytes = Buffer.from(`{"type":"leave_room","id":"${'x'.repeat(200)}"}`);
    const frames = [...bytes].flatMap((byte, i) => [
      frame(i === 0 ? text : continuation, Buffer.from([byte]), {fin: i + 1 === bytes.length}),
      frame(ping, String(i)),
    ]);
    peer.write(Buffer.concat(frames));
    for (let pongs = 0; ;) {
      const next = await peer.frame();
      if (next.opcode === text) {
        assert.equal(JSON.parse(next.payload).type, 'ack');
        assert.equal(pongs, bytes.length - 1);
        break;
      }
      assert.equal(String(next.payload), String(pongs++));
    }
    peer.destroy();
  });

  /** Opens and closes 10,000 connections, some hundred at a time; nothing of them may remain. */
  async function cycles(one) {
    const bystanders = await Bystanders.gather(server.url);
    const batch = () => Promise.all(Array.from({length: 250}, one));
    for (let i = 0; i < 4; ++i) await batch(); // after these the server's caches have grown
    const memory = residentBytes(server.pid);
    const descriptors = openDescriptors(server.pid);
    for (let i = 0; i < 40; ++i) await batch();
    await bystanders.unharmed();
    await until(() => openDescriptors(server.pid) <= descriptors, 'the end of all descriptors');
    const grown = residentBytes(server.pid) - memory;
    assert.ok(grown < 8 * megabyte, `memory grew by ${grown} bytes`);
    await bystanders.unharmed();
    await bystanders.close();
  }

  test('10,000 connections closed at once leave nothing behind', () =>
    cycles(async () => (await RawPeer.connect(server.port)).destroy()));
  test('10,000 connections reset within their handshake leave nothing behind', () =>
    cycles(async () => {
      const peer = await RawPeer.connect(server.port);
      peer.write(upgradeRequest());
      peer.reset();
    }));
});

test('members that vanish with a reset while others speak leave, and nobody else is affected', async () => {
  const bystanders = await Bystanders.gather(server.url);
  for (let i = 0; i < 50; ++i) {
    const peer = await RawPeer.upgrade(server.port);
    const {connectionId} = await peer.join(bystanders.room);
    await bystanders.sees(connectionId);
    peer.send({type: 'send_chat', payload: {message: 'last words'}});
    await bystanders.near.next('chat_message');
    peer.reset();
    await bystanders.misses(connectionId);
  }
  await bystanders.unharmed();
  await bystanders.close();
});

describe('end of the server', () => {
  test('SIGTERM with clients of every kind: closes them with 1001 and exits with 0, in time', async () => {
    const ending = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--static', '.', '--echo', '/echo']);
    const members = await Promise.all([1, 2, 3].map(() => LiveMember.join(ending.url, 'room')));
    const echo = await RawPeer.upgrade(ending.port, '/echo');
    // Some browsers keep their side of such connections open.
    const idle = await RawPeer.connect(ending.port, {allowHalfOpen: true});
    const kept = await RawPeer.connect(ending.port, {allowHalfOpen: true});
    await kept.request('GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n');
    const half = await RawPeer.connect(ending.port);
    half.write('GET / HT');
    const begin = performance.now();
    const stopped = ending.stop(); // fails unless the exit code is 0
    for (const member of members) assert.equal((await member.closed).code, 1001);
    assert.equal((await echo.closing()).code, 1001);
    await Promise.all([idle.ended(), half.ended(), kept.ended()]);
    await stopped;
    idle.destroy();
    kept.destroy();
    assert.ok(performance.now() - begin < 4_000, 'it took as long as its grace');
  });
});

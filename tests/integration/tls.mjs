// HTTPS and WSS: rooms over TLS, reloaded certificates, and connections that do not speak TLS. Run with plain `node`;
// needs the openssl command.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import https from 'node:https';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';

import {makeCertificate} from './support/certificate.mjs';
import {LiveMember} from './support/live_member.mjs';
import {openDescriptors, residentBytes} from './support/process_use.mjs';
import {RawPeer, upgradeRequest} from './support/raw_peer.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const megabyte = 1_048_576;
let folder;
let certificateFile;
let keyFile;
let ca;
let server;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-tls-'));
  certificateFile = join(folder, 'certificate.pem');
  keyFile = join(folder, 'key.pem');
  ca = makeCertificate(certificateFile, keyFile, 'first');
  writeFileSync(join(folder, 'large.bin'), Buffer.alloc(5 * megabyte, 'flux'));
  server = await startServer(process.env.FLUX_SERVER, [
    ...['--port', '0', '--tls-cert', certificateFile, '--tls-key', keyFile],
    ...['--static', folder, '--presence-interval', '0', '--log', 'info'],
  ]);
});
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});

const enter = (room, trusted = ca) => LiveMember.join(server.url, room, {}, {ca: trusted, agent: false});

/** Two members of one room can exchange messages. */
async function speak(ada, ben, message) {
  await ada.request('send_chat', {message});
  for (const member of [ada, ben]) assert.equal((await member.next('chat_message')).payload.message, message);
}

test('wss: two members of a room exchange messages', async () => {
  assert.match(server.url, /^https:/);
  const ada = await enter('room');
  const ben = await enter('room');
  await ada.next('presence_updated');
  await speak(ada, ben, 'hello');
  await speak(ben, ada, 'x'.repeat(60_000)); // more than one record
  await ada.close();
  await ben.next('presence_updated');
  await ben.close();
});

test('https: a large file arrives whole', async () => {
  const body = await new Promise((resolve, reject) => {
    const request = https.get(new URL('large.bin', server.url), {ca, agent: false}, async (answer) => {
      const parts = [];
      for await (const part of answer) parts.push(part);
      resolve(Buffer.concat(parts));
    });
    request.on('error', reject);
  });
  assert.ok(body.equals(Buffer.alloc(5 * megabyte, 'flux')));
});

test('SIGHUP: new connections get the new certificate, old ones continue', async () => {
  const ada = await enter('reload');
  const fresh = makeCertificate(certificateFile, keyFile, 'second');
  server.signal('SIGHUP');
  await until(() => server.output.some((line) => line.includes('certificates reloaded')), 'the new certificate');
  await assert.rejects(enter('reload', ca));
  const ben = await enter('reload', fresh);
  await ada.next('presence_updated');
  await speak(ada, ben, 'over both');
  ca = fresh;

  writeFileSync(keyFile, 'no key');
  server.signal('SIGHUP');
  await until(() => server.output.some((line) => line.includes('error')), 'the complaint about the key');
  const eve = await enter('reload'); // the last good one is still in use
  await ada.next('presence_updated');
  await ben.next('presence_updated');
  await speak(eve, ada, 'and a third');
  await Promise.all([ada, ben, eve].map((member) => member.close()));
});

test('plain HTTP on the port gets an error or is closed, and nobody else is affected', async () => {
  const [ada, ben] = [await enter('calm'), await enter('calm')];
  await ada.next('presence_updated');
  for (const bytes of [
    'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    upgradeRequest(),
    '\x16\x03\x01\xff\xff',
    '\x00'.repeat(1000),
    'x',
  ]) {
    const peer = await RawPeer.connect(server.port);
    peer.write(bytes);
    if (bytes === 'x') peer.end();
    else if (bytes.startsWith('\x16')) peer.write(Buffer.alloc(100_000));
    await peer.ended();
    if (bytes.startsWith('GET')) assert.match(peer.unread.toString('latin1'), /^HTTP\/1\.[01] 400 /);
  }
  await speak(ada, ben, 'still here');
  await ada.expectNothing();
  await ben.expectNothing();
  await Promise.all([ada.close(), ben.close()]);
});

test('bad input inside TLS is answered as without TLS', async () => {
  const peer = await RawPeer.connect(server.port, {tls: {ca}});
  const answer = await peer.request('GET / HTTP/1.1\r\n\r\n');
  assert.equal(answer.status, 400);
  await peer.ended();
});

test('TLS 1.1 and older are refused', async () => {
  const old = {ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0'};
  await assert.rejects(RawPeer.connect(server.port, {tls: old}));
});

test('a member that stops reading is closed at its outbox limit: what is encrypted counts, too', async () => {
  const outboxMax = 4 * megabyte; // the server's default
  const ada = await enter('slow');
  const slow = await enter('slow');
  await ada.next('presence_updated');
  const memory = residentBytes(server.pid);
  slow.pause();
  const payload = 'x'.repeat(32_768);
  const isGone = (frame) => frame.payload?.left?.includes(slow.id);
  const patience = AbortSignal.timeout(30_000);
  let mostMemory = 0;
  while (!ada.takeAll().some(isGone)) {
    patience.throwIfAborted();
    await ada.request('broadcast_event', {event: 'e', payload});
    mostMemory = Math.max(mostMemory, residentBytes(server.pid) - memory);
  }
  assert.ok(mostMemory < outboxMax + 12 * megabyte, `memory grew by ${mostMemory} bytes`);
  slow.resume();
  assert.ok([4413, 1006].includes((await slow.closed).code));
  await ada.close();
});

test('2,000 connections that end within their handshake leave nothing behind', async () => {
  const batch = () =>
    Promise.all(
      Array.from({length: 100}, async (_, i) => {
        const peer = await RawPeer.connect(server.port);
        if (i % 2) peer.write('\x16\x03\x01\x02\x00\x01');
        if (i % 3) peer.reset();
        else peer.destroy();
      }),
    );
  for (let i = 0; i < 4; ++i) await batch();
  const memory = residentBytes(server.pid);
  const descriptors = openDescriptors(server.pid);
  for (let i = 0; i < 20; ++i) await batch();
  await until(() => openDescriptors(server.pid) <= descriptors, 'the end of all descriptors');
  assert.ok(residentBytes(server.pid) - memory < 8 * megabyte);
});

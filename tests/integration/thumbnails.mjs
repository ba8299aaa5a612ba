// examples/thumbnails: an uploaded bitmap gets a small one in its room. Run with plain `node`.
//
// FLUX_THUMBNAILS_SERVER  the example, built; required

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';

import {LiveMember} from './support/live_member.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

let folder;
let server;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-thumbnails-'));
  server = await startServer(process.env.FLUX_THUMBNAILS_SERVER, [folder, '0']);
});
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});

/** A bitmap whose left half is black and whose right half is red. */
function bitmap(width, height) {
  const row = Math.ceil((width * 3) / 4) * 4;
  const bytes = Buffer.alloc(54 + row * height);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let y = 0; y < height; ++y) {
    for (let x = width / 2; x < width; ++x) bytes[54 + y * row + x * 3 + 2] = 255;
  }
  return bytes;
}

async function upload(bytes, type, query = '') {
  const form = new FormData();
  form.append('image', new Blob([bytes], {type}), 'a.bmp');
  const answer = await fetch(`${server.url}files${query}`, {method: 'POST', body: form});
  assert.equal(answer.status, 201);
}

test('a bitmap gets a thumbnail in the room of its upload, or in the gallery', async () => {
  const member = await LiveMember.open(server.url);
  await member.request('create_room', {roomId: 'r', mode: 'history'});
  await member.enter('r');
  const visitor = await LiveMember.join(server.url, 'gallery');
  const {ticket} = await member.request('upload_ticket', {roomId: 'r'});
  await upload(Buffer.from('BM, but nothing else'), 'image/bmp'); // is skipped
  await upload(bitmap(10, 10), 'application/octet-stream'); // likewise
  await upload(bitmap(600, 300), 'image/bmp', `?ticket=${ticket}`);
  await upload(bitmap(50, 20), 'image/bmp');
  for (const [watcher, width, height] of [[member, 120, 60], [visitor, 50, 20]]) {
    const isShared = (frame) => frame.type === 'room_data';
    await until(() => watcher.frames.some(isShared), 'a thumbnail');
    const {payload} = watcher.frames.find(isShared);
    assert.equal(payload.data.fileName, 'small a.bmp');
    const got = await fetch(`${server.url}files/${payload.data.fileId}`);
    assert.equal(got.headers.get('content-type'), 'image/bmp');
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(bitmap(width, height)));
    assert.equal(watcher.frames.filter(isShared).length, 1);
  }
});

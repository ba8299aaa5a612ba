// kill -9 during uploads: acknowledged data is complete, the rest is resumed or swept.
// Run with plain `node`. A failure prints the seed; `SEED=N` repeats the choices, `ROUNDS=N` sets the number of crashes
// (10).
//
// FLUX_FILE_SERVER  the program of tests/support/file_server.cpp; required

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';

import {ask, begin, offsetOf, patch, sha256} from './support/files.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const rounds = Number(process.env.ROUNDS ?? 10);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
let draws = 0;
const random = () => createHash('sha256').update(`${seed} ${++draws}`).digest().readUInt32LE() / 2 ** 32;

let folder;
let port = 0;
before(() => (folder = mkdtempSync(join(tmpdir(), 'flux-crash-'))));
after(() => rmSync(folder, {recursive: true}));

const start = (...options) =>
  startServer(process.env.FLUX_FILE_SERVER, ['--dir', folder, '--port', String(port), '--threads', '2', ...options]);

function content(size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i + 4 <= size; i += 4096) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), i);
  return bytes;
}

/** A client that uploads whole files until the server dies; returns the acknowledged ones, path to digest. */
async function postUntilDeath(acknowledged) {
  for (;;) {
    const bytes = content(Math.floor(random() * 2_000_000));
    const made = await ask(port, 'POST', '/files', {body: bytes});
    assert.equal(made.status, 201);
    acknowledged.set(made.headers.location, sha256(bytes));
  }
}

/** A client that uploads one file by tus, chunk by chunk; resumes in the next round if it is not done. */
class TusClient {
  bytes = content(2_000_000 + Math.floor(random() * 4_000_000));
  #path;
  /** The bytes that the server has acknowledged. */
  #offset = 0;

  async sendUntilDeath(acknowledged) {
    this.#path ??= await begin(port, this.bytes.length);
    const offset = await offsetOf(port, this.#path);
    assert.ok(offset !== undefined, 'an upload that was begun is there');
    assert.ok(offset >= this.#offset, `${offset} bytes are there, ${this.#offset} were acknowledged`);
    this.#offset = offset;
    while (this.#offset < this.bytes.length) {
      const size = Math.min(1 + Math.floor(random() * 700_000), this.bytes.length - this.#offset);
      const sent = await patch(port, this.#path, this.#offset, this.bytes.subarray(this.#offset, this.#offset + size));
      assert.equal(sent.status, 204);
      this.#offset += size;
      assert.equal(sent.headers['upload-offset'], String(this.#offset));
    }
    acknowledged.set(this.#path, sha256(this.bytes));
    return true;
  }
}

/** Connection errors are expected when the server dies; others are failures. */
const dies = async (work) => {
  try {
    return await work;
  } catch (error) {
    if (error.code === 'ERR_ASSERTION') throw error;
    if (!/ECONN|EPIPE|socket hang up|aborted/.test(`${error.code} ${error.message}`)) throw error;
    return false;
  }
};

test(`uploads through ${rounds} crashes, seed ${seed}`, async () => {
  const acknowledged = new Map();
  let resumable = Array.from({length: 3}, () => new TusClient());
  let finished = 0;
  for (let round = 0; round < rounds; ++round) {
    const server = await start();
    ({port} = server);
    for (const [path, digest] of acknowledged) {
      const got = await ask(port, 'GET', path);
      assert.equal(got.status, 200, `${path} was acknowledged`);
      assert.equal(sha256(got.body), digest, `${path} is whole`);
    }
    const done = new Set();
    const clients = [
      ...[1, 2].map(() => dies(postUntilDeath(acknowledged))),
      ...resumable.map((client) =>
        dies(client.sendUntilDeath(acknowledged)).then((whole) => whole && done.add(client)),
      ),
    ];
    const enough = acknowledged.size + 1 + Math.floor(3 * random());
    await until(() => acknowledged.size >= enough, () => `${enough} files acknowledged`);
    await new Promise((resolve) => setTimeout(resolve, 50 * random())); // in the middle of others
    await Promise.all([...clients, server.kill()]);
    finished += done.size;
    resumable = resumable.map((client) => (done.has(client) ? new TusClient() : client));
  }

  const server = await start();
  for (const client of resumable) assert.ok(await client.sendUntilDeath(acknowledged));
  for (const [path, digest] of acknowledged) {
    assert.equal(sha256((await ask(port, 'GET', path)).body), digest, `${path} is whole`);
  }
  await server.stop();
  assert.ok(acknowledged.size > rounds, `only ${acknowledged.size} files were acknowledged`);
  assert.ok(finished + resumable.length >= 3);
});

test('uploads that are not resumed are swept', async () => {
  const server = await start('--upload-expires', '3');
  const parts = () => readdirSync(folder).filter((name) => name.endsWith('.part')).length;
  const upload = await begin(port, 10);
  await patch(port, upload, 0, 'abc');
  assert.ok(parts() >= 1);
  await until(() => parts() === 0, 'the end of unfinished uploads', 15_000);
  await server.stop();
});

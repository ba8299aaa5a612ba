// A file uploaded and downloaded over HTTP, and copied with cp. Each is timed as a program, from its start until what
// it wrote is on disk.
import { randomFillSync } from 'node:crypto';
import {
  closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, writeSync,
} from 'node:fs';
import path from 'node:path';

import { BenchError, program_files, run_program, start_server, stop_server } from './processes.mjs';

const folders = new Set();

/// Removes what interrupted turns left behind.
export function remove_folders() {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

function sync_path(name) {
  const descriptor = openSync(name, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function sync_folder(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile()) sync_path(path.join(folder, entry.name));
  }
  sync_path(folder);
}

/// No two blocks are equal and none is empty, so that neither the disk nor `cp` can skip any of it.
function write_source(name, bytes) {
  const piece = randomFillSync(Buffer.alloc(Math.min(bytes, 2 ** 20)));
  const descriptor = openSync(name, 'w');
  for (let at = 0; at < bytes; at += piece.length) {
    for (let block = 0; block + 8 <= piece.length; block += 4096) piece.writeBigUInt64LE(BigInt(at + block), block);
    writeSync(descriptor, piece, 0, Math.min(piece.length, bytes - at));
  }
  closeSync(descriptor);
}

/// On a virtual machine, memory that was never used, or that the host reclaimed while it was free, costs more than the
/// copy does. So three times what a file needs in the page cache is used and freed here, and every program finds the
/// same conditions.
async function warm_page_cache({ source, copies }) {
  const warm = ['warm1', 'warm2', 'warm3'].map((name) => path.join(copies, name));
  for (const name of warm) {
    await run_program('cp', [source, name]);
    sync_path(name);
  }
  for (const name of warm) rmSync(name);
  sync_path(copies);
}

/// Runs a program that writes into `folder`; returns its output, and the seconds until the folder is on disk.
async function timed(place, folder, file, args) {
  await warm_page_cache(place);
  const start = performance.now();
  const out = await run_program(file, args);
  sync_folder(folder);
  return { out, seconds: (performance.now() - start) / 1000 };
}

// The server's resident memory

function peak_resident_bytes(pid) {
  return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+) kB$/m)[1]) * 1024;
}

/// Resets the peak to the current resident size.
function forget_peak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

// One turn

async function copy(place) {
  const target = path.join(place.copies, 'copy');
  const { seconds } = await timed(place, place.copies, 'cp', [place.source, target]);
  rmSync(target);
  return { bytes: place.file_bytes, seconds };
}

/// Both measure growth relative to a server that has not served anything yet.
async function* up_and_down(place, server) {
  const { bin, source, stored, copies, file_bytes } = place;
  const transfer = path.join(bin, program_files.transfer);
  const pid = server.child.pid;
  forget_peak(pid);
  const resident_bytes_before = peak_resident_bytes(pid);
  const report = (seconds) => ({
    bytes: file_bytes, seconds, resident_bytes_before,
    resident_bytes_grown: peak_resident_bytes(pid) - resident_bytes_before,
  });

  const up = await timed(place, stored, transfer, ['put', server.port, '/files', source]);
  yield ['up', report(up.seconds)];

  const target = path.join(copies, 'down');
  forget_peak(pid);
  const down = await timed(place, copies, transfer, ['get', server.port, up.out.trim(), target]);
  const run = report(down.seconds);
  await run_program('cmp', [source, target]);
  yield ['down', run];
}

async function* sides(bin, folder, file_bytes) {
  const at = (name) => path.join(folder, name);
  const place = { bin, file_bytes, source: at('source'), stored: at('stored'), copies: at('copies') };
  for (const name of [place.stored, place.copies]) mkdirSync(name);
  write_source(place.source, file_bytes);
  sync_folder(folder);
  yield ['cp', await copy(place)];

  const options = ['--files', place.stored, '--max-file-size', file_bytes];
  const side = { program: 'flux', threads: 1, options };
  const server = await start_server(bin, side);
  let fault;
  try {
    yield* up_and_down(place, server);
  } finally {
    fault = await stop_server(server, side);
  }
  if (fault) throw new BenchError(fault);
}

/// Yields [side, { run, faults }] of `cp`, `up` and `down`.
export async function* file_turn(bin, { disk, file_bytes }) {
  const folder = mkdtempSync(path.join(disk, 'flux-bench-files-'));
  folders.add(folder);
  const missing = new Set(['cp', 'up', 'down']);
  try {
    for await (const [side, run] of sides(bin, folder, file_bytes)) {
      missing.delete(side);
      yield [side, { run, faults: [] }];
    }
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    yield [[...missing][0] ?? 'down', { faults: [error.message] }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
  }
}

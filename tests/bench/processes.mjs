// The programs that a measurement starts: servers, the load generator, and others.
import { spawn } from 'node:child_process';
import path from 'node:path';

export const program_files = {
  flux: 'flux-server',
  floor: 'flux-bench-floor',
  load: 'flux-bench-load',
  transfer: 'flux-bench-transfer',
};
const start_timeout_ms = 10_000;
const run_timeout_ms = 120_000;
const stop_timeout_ms = 5_000;

/// Reported to the user in one line; any other error is a defect of this program.
export class BenchError extends Error {}

const children = new Set();

function start_process(file, args, env = {}) {
  const child = spawn(file, args.map(String), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...global.process.env, ...env },
  });
  const process = { child, out: '', err: '', name: path.basename(file) };
  children.add(child);
  child.stdout.setEncoding('utf8').on('data', (text) => (process.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (process.err = (process.err + text).slice(-2000)));
  process.ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, error }));
    child.on('close', (code, signal) => resolve({ code, signal }));
  }).then((end) => {
    children.delete(child);
    return end;
  });
  return process;
}

function after(milliseconds) {
  let timer;
  const elapsed = new Promise((resolve) => (timer = setTimeout(resolve, milliseconds, 'timeout')));
  return { elapsed, cancel: () => clearTimeout(timer) };
}

async function within(milliseconds, promise) {
  const limit = after(milliseconds);
  try {
    return await Promise.race([promise, limit.elapsed]);
  } finally {
    limit.cancel();
  }
}

/// Starts the side's server on a free port and waits for the line that prints it. `side.options` are the server's own,
/// `side.env` is added to its environment.
export async function start_server(bin, side) {
  const file = path.join(bin, program_files[side.program]);
  const flux_options = ['--threads', side.threads, '--log', 'off', '--echo', '/echo', ...(side.options ?? [])];
  const server = start_process(file, ['--port', 0, ...(side.program === 'flux' ? flux_options : [])], side.env);
  const listening = new Promise((resolve) => {
    server.child.stdout.on('data', () => {
      const line = server.out.match(/listening on http:\/\/\S+?:(\d+)\//);
      if (line) resolve(Number(line[1]));
    });
  });
  const port = await within(start_timeout_ms, Promise.race([listening, server.ended]));
  if (typeof port === 'number') return { ...server, port };
  server.child.kill('SIGKILL');
  throw new BenchError(`${server.name} did not start: ${server.err || server.out || 'it said nothing'}`);
}

/// Returns what is wrong with how the server ended, if anything.
export async function stop_server(server, side) {
  server.child.kill('SIGTERM');
  const end = await within(stop_timeout_ms, server.ended);
  if (end === 'timeout') {
    server.child.kill('SIGKILL');
    await server.ended;
    return `${server.name} did not end within ${stop_timeout_ms / 1000} s of SIGTERM`;
  }
  // The floor does not handle SIGTERM; flux-server exits cleanly.
  if (side.program === 'floor' || end.code === 0) return undefined;
  return `${server.name} ended with ${end.code ?? end.signal}: ${server.err}`;
}

/// Runs a program to its end and returns what it printed.
export async function run_program(file, args) {
  const program = start_process(file, args);
  const end = await within(run_timeout_ms, program.ended);
  if (end === 'timeout') program.child.kill('SIGKILL');
  if (end.code === 0) return program.out;
  const how = end === 'timeout' ? `did not end within ${run_timeout_ms / 1000} s` : `ended with ${end.code ?? end.signal}`;
  throw new BenchError(program.err.trim() || `${program.name} ${how}`);
}

export function kill_all() {
  for (const child of children) child.kill('SIGKILL');
}

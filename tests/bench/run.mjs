// The one command: runs every experiment of experiments.mjs several times, floor and flux in turns, and prints a table
// of medians with what must hold. Started by run.sh.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { experiments } from './experiments.mjs';
import { compare, markdown, write_figures } from './table.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const default_bin = path.join(root, 'build/release/bin');
const program_files = { flux: 'flux-server', floor: 'flux-bench-floor', load: 'flux-bench-load' };
const start_timeout_ms = 10_000;
const load_timeout_ms = 120_000;
const stop_timeout_ms = 5_000;

const help = `usage: sh tests/bench/run.sh [option]...
Measures flux-server against the least Asio server, about four minutes in all, and prints a table.

  --runs N       runs of each experiment, of which the median counts (default 5)
  --secs S       seconds that a run measures (default 1.5)
  --quick        one run of 0.4 s: whether all of it works, not how fast it is
  --only A,B     only these experiments: ${experiments({}).map((experiment) => experiment.name).join(', ')}
  --check        end with 1 when a bound is missed or a run failed
  --write        put the table into tests/bench/RESULTS.md
  --json FILE    write what every run reported to FILE
  --bin DIR      the programs (default build/release/bin, built there when they are missing)
  --help
`;

class BenchError extends Error {}

function parse_options() {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string' },
      secs: { type: 'string' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      check: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      json: { type: 'string' },
      bin: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const runs = Number(values.runs ?? (values.quick ? 1 : 5));
  const seconds = Number(values.secs ?? (values.quick ? 0.4 : 1.5));
  if (!Number.isInteger(runs) || runs < 1) throw new BenchError('--runs takes a whole number from 1');
  if (!(seconds >= 0.1 && seconds <= 60)) throw new BenchError('--secs takes a number from 0.1 to 60');
  if (values.write && values.only) throw new BenchError('--write needs all experiments, so it does not go with --only');
  if (values.write && values.bin) throw new BenchError('--write is for the release build: not with --bin');
  return { ...values, runs, seconds, only: values.only?.split(',') };
}

// Programs

function build_missing_programs(options) {
  const bin = path.resolve(options.bin ?? default_bin);
  const missing = Object.values(program_files).filter((file) => !existsSync(path.join(bin, file)));
  if (missing.length === 0) return bin;
  if (options.bin) throw new BenchError(`${bin} has no ${missing.join(', ')}`);
  for (const command of [
    ['cmake', '--preset', 'release'],
    ['cmake', '--build', 'build/release', '--target', ...Object.values(program_files)],
  ]) {
    console.error(command.join(' '));
    const { status } = spawnSync(command[0], command.slice(1), { cwd: root, stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new BenchError(`failed: ${command.join(' ')}`);
  }
  return bin;
}

const children = new Set();

function start_process(file, args) {
  const child = spawn(file, args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
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

/// Starts a server on a port of its choice and waits for the line that names it.
async function start_server(bin, side) {
  const file = path.join(bin, program_files[side.program]);
  const flux_options = ['--threads', side.threads, '--log', 'off', '--echo', '/echo'];
  const server = start_process(file, ['--port', 0, ...(side.program === 'flux' ? flux_options : [])]);
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
async function stop_server(server, side) {
  server.child.kill('SIGTERM');
  const end = await within(stop_timeout_ms, server.ended);
  if (end === 'timeout') {
    server.child.kill('SIGKILL');
    await server.ended;
    return `${server.name} did not end within ${stop_timeout_ms / 1000} s of SIGTERM`;
  }
  // The floor leaves SIGTERM to the system; flux-server ends cleanly.
  if (side.program === 'floor' || end.code === 0) return undefined;
  return `${server.name} ended with ${end.code ?? end.signal}: ${server.err}`;
}

async function run_load(bin, server, load) {
  const args = [...load, '--port', server.port, '--pid', server.child.pid];
  const generator = start_process(path.join(bin, program_files.load), args);
  const end = await within(load_timeout_ms, generator.ended);
  if (end === 'timeout') generator.child.kill('SIGKILL');
  if (end.code !== 0) throw new BenchError(generator.err.trim() || `${generator.name} did not end`);
  return JSON.parse(generator.out);
}

/// One run of the load generator against a new server. `faults` says why the run does not count.
async function run_once(bin, side, valid = () => true) {
  const server = await start_server(bin, side);
  let run;
  const faults = [];
  try {
    run = await run_load(bin, server, side.load);
    if (run.closed > 0) faults.push(`${run.closed} connections were closed: ${run.close_reason}`);
    if (run.errors > 0) faults.push(`${run.errors} messages were answered with an error: ${run.first_error}`);
    const validity = valid(run);
    if (validity !== true) faults.push(validity);
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    faults.push(error.message);
  } finally {
    const fault = await stop_server(server, side);
    if (fault) faults.push(fault);
  }
  return { run, faults };
}

// Experiments

async function measure_delivered_bytes(bin) {
  const { run, faults } = await run_once(bin, { program: 'flux', threads: 1, load: ['fanout', '--secs', 0.2] });
  if (faults.length > 0) throw new BenchError(`the first fan-out failed: ${faults.join('; ')}`);
  return Math.round(run.payload_bytes);
}

async function run_experiment(bin, experiment, runs) {
  const results = Object.fromEntries(Object.keys(experiment.sides).map((side) => [side, []]));
  const faults = [];
  for (let i = 1; i <= runs; ++i) {
    for (const [name, side] of Object.entries(experiment.sides)) {
      const { run, faults: found } = await run_once(bin, side, experiment.valid);
      console.error(`${experiment.name} ${i}/${runs} ${name}: ${found.length > 0 ? found.join('; ') : brief(run)}`);
      if (found.length === 0) results[name].push(run);
      faults.push(...found.map((fault) => `${experiment.name}, ${name}, run ${i}: ${fault}`));
    }
  }
  return { ...experiment, results, faults };
}

function brief(run) {
  const figures = ['server_us_per_frame', 'resident_bytes_per_conn', 'seconds_to_full', 'server_cpu_percent', 'frames'];
  return figures.filter((name) => name in run).map((name) => `${name}=${run[name]}`).join(' ');
}

// The machine

function first_line(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', cwd: root, timeout: stop_timeout_ms });
  return status === 0 ? stdout.split('\n')[0].trim() : undefined;
}

function compiler(bin) {
  const cache = path.join(bin, '../CMakeCache.txt');
  if (!existsSync(cache)) return 'unknown compiler';
  const text = readFileSync(cache, 'utf8');
  const entry = (name) => text.match(new RegExp(`^${name}:[A-Z]+=(.*)$`, 'm'))?.[1];
  const version = first_line(entry('CMAKE_CXX_COMPILER') ?? 'c++', ['--version']) ?? 'unknown compiler';
  return `${version}, ${entry('CMAKE_BUILD_TYPE') || 'no'} build`;
}

function describe_machine(bin) {
  const cores = os.cpus();
  const version = first_line(path.join(bin, program_files.flux), ['--version']);
  const commit = first_line('git', ['describe', '--always', '--dirty']);
  const gigabytes = (os.totalmem() / 2 ** 30).toFixed(0);
  return {
    Date: new Date().toISOString().slice(0, 10),
    Machine: `${cores[0].model.trim()}, ${cores.length} cores, ${gigabytes} GB`,
    Kernel: `${os.type()} ${os.release()}`,
    Compiler: compiler(bin),
    Version: [version, commit].filter(Boolean).join(', commit '),
    Command: `\`sh tests/bench/run.sh ${process.argv.slice(2).join(' ')}`.trim() + '`',
  };
}

async function main() {
  const options = parse_options();
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const known = experiments({}).map((experiment) => experiment.name);
  const unknown = options.only?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0) throw new BenchError(`no experiment is named ${unknown.join(', ')}; see --help`);

  const bin = build_missing_programs(options);
  const machine = describe_machine(bin);
  const delivered_bytes = await measure_delivered_bytes(bin);
  const wanted = experiments({ seconds: options.seconds, delivered_bytes }).filter(
    (experiment) => options.only?.includes(experiment.name) ?? true,
  );
  const measured = [];
  for (const experiment of wanted) measured.push(await run_experiment(bin, experiment, options.runs));

  const rows = measured.flatMap(compare);
  const faults = measured.flatMap((experiment) => experiment.faults);
  const notes = { runs: options.runs, seconds: options.seconds, delivered_bytes };
  const text = markdown({ machine, notes, rows, measured, faults });
  process.stdout.write(text);
  if (options.json) writeFileSync(options.json, JSON.stringify({ machine, notes, measured }, null, 2) + '\n');
  if (options.write) write_figures(path.join(here, 'RESULTS.md'), text);
  const failed = rows.some((row) => row.holds === false) || faults.length > 0;
  return options.check && failed ? 1 : 0;
}

function kill_children() {
  for (const child of children) child.kill('SIGKILL');
}
process.on('exit', kill_children);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

try {
  process.exitCode = await main();
} catch (error) {
  const expected = error instanceof BenchError || error.code?.startsWith?.('ERR_PARSE_ARGS');
  console.error(`tests/bench/run.sh: ${expected ? error.message : error.stack}`);
  process.exit(2);
}

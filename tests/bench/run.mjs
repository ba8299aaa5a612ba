// The main command: runs every experiment of experiments.mjs several times, alternating floor and flux, and prints a
// table of medians with their bounds. Started by run.sh.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { experiments } from './experiments.mjs';
import { remove_folders } from './files.mjs';
import { BenchError, kill_all, program_files, run_program, start_server, stop_server } from './processes.mjs';
import { compare, markdown, write_figures } from './table.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const default_bin = path.join(root, 'build/release/bin');
const command_timeout_ms = 5_000;

const help = `usage: sh tests/bench/run.sh [option]...
Measures flux-server against the least Asio server and cp, about seven minutes in all, and prints a table.

  --runs N       runs of each experiment, of which the median counts (default 5)
  --secs S       seconds that a run measures (default 1.5)
  --quick        one run of 0.4 s, files of 64 MiB: whether all of it works, not how fast it is
  --only A,B     only these experiments: ${experiments({}).map((experiment) => experiment.name).join(', ')}
  --check        end with 1 when a bound is missed or a run failed
  --write        put the table into tests/bench/RESULTS.md
  --json FILE    write what every run reported to FILE
  --disk DIR     the folder on whose disk files are put up and down (default: that of the build)
  --bin DIR      the programs (default build/release/bin, built there when they are missing)
  --help
`;

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
      disk: { type: 'string' },
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
  const file_bytes = (values.quick ? 64 : 1024) * 2 ** 20;
  return { ...values, runs, seconds, file_bytes, only: values.only?.split(',') };
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

/// One run of the load generator against a new server. `faults` says why the run does not count.
async function run_once(bin, side, valid = () => true) {
  const server = await start_server(bin, side);
  let run;
  const faults = [];
  try {
    const args = [...side.load, '--port', server.port, '--pid', server.child.pid];
    run = JSON.parse(await run_program(path.join(bin, program_files.load), args));
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

/// The size of the frame that a room member receives, in this protocol.
async function measure_delivered_bytes(bin, protocol) {
  const load = ['fanout', '--secs', 0.2, '--protocol', protocol];
  const { run, faults } = await run_once(bin, { program: 'flux', threads: 1, load });
  if (faults.length > 0) throw new BenchError(`the first fan-out of ${protocol} failed: ${faults.join('; ')}`);
  return Math.round(run.payload_bytes);
}

async function* load_sides(bin, experiment) {
  for (const [name, side] of Object.entries(experiment.sides)) {
    yield [name, await run_once(bin, side, experiment.valid)];
  }
}

async function run_experiment(bin, experiment, runs) {
  const results = Object.fromEntries(Object.keys(experiment.sides).map((side) => [side, []]));
  const faults = [];
  const turn = experiment.turn ?? load_sides;
  for (let i = 1; i <= runs; ++i) {
    for await (const [name, { run, faults: found }] of turn(bin, experiment)) {
      console.error(`${experiment.name} ${i}/${runs} ${name}: ${found.length > 0 ? found.join('; ') : brief(run)}`);
      if (found.length === 0) results[name].push(run);
      faults.push(...found.map((fault) => `${experiment.name}, ${name}, run ${i}: ${fault}`));
    }
  }
  return { ...experiment, results, faults };
}

function brief(run) {
  const figures = ['server_us_per_frame', 'resident_bytes_per_conn', 'seconds_to_full', 'server_cpu_percent', 'frames',
    'seconds', 'resident_bytes_grown'];
  return figures.filter((name) => name in run).map((name) => `${name}=${run[name]}`).join(' ');
}

// The machine

function first_line(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', cwd: root, timeout: command_timeout_ms });
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
  const select = (list) => list.filter((experiment) => options.only?.includes(experiment.name) ?? true);
  const delivered_bytes = {};
  for (const { frames_of } of select(experiments({}))) {
    if (frames_of) delivered_bytes[frames_of] ??= await measure_delivered_bytes(bin, frames_of);
  }
  const disk = path.resolve(options.disk ?? path.join(bin, '..'));
  const wanted = select(experiments({ ...options, delivered_bytes, disk }));
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

process.on('exit', () => {
  kill_all();
  remove_folders();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

try {
  process.exitCode = await main();
} catch (error) {
  const expected = error instanceof BenchError || error.code?.startsWith?.('ERR_PARSE_ARGS');
  console.error(`tests/bench/run.sh: ${expected ? error.message : error.stack}`);
  process.exit(2);
}

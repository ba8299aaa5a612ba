// Clients of every protocol connect, act at random and disconnect, while the server is watched for leaks. Started by
// soak.sh.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';

import {openDescriptors, residentBytes} from '../integration/support/process_use.mjs';
import {startServer} from '../integration/support/server_program.mjs';
import {until} from '../integration/support/wait.mjs';
import {Random} from './random.mjs';
import {visitors} from './visitors.mjs';

const {values} = parseArgs({
  options: {
    minutes: {type: 'string', default: '30'},
    clients: {type: 'string', default: '1000'},
    seed: {type: 'string', default: String(Date.now() % 1_000_000)},
    threads: {type: 'string', default: '2'},
  },
});
const minutes = Number(values.minutes);
const clients = Number(values.clients);
if (!(minutes > 0 && clients > 0)) throw new Error('--minutes and --clients take numbers above 0');

const folder = mkdtempSync(join(tmpdir(), 'flux-soak-'));
process.once('exit', () => rmSync(folder, {recursive: true, force: true}));
const server = await startServer(process.env.FLUX_SHARING_SERVER, [
  '--threads', values.threads, '--dir', join(folder, 'files'), '--room-list', '1',
  // The crowd leaves more files behind than the store's quota of files without an owner.
  '--files-expire', '60',
  // Rooms are full after a few minutes, so what they keep does not count as a leak.
  '--kept-max', '100',
]);
const statsOf = async () => (await fetch(new URL('test/stats', server.url))).json();
const allocatedBytes = async () => Number(await (await fetch(new URL('test/allocated', server.url))).text());
const look = async () => {
  const stats = await statsOf();
  return {
    ...stats,
    descriptors: openDescriptors(server.pid),
    megabytes: residentBytes(server.pid) / 1e6,
    allocated: (await allocatedBytes()) / 1e6,
  };
};
const say = (text) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

say(`seed ${values.seed}, ${clients} clients, ${minutes} min, ${values.threads} loops`);
const before = await look();
const end = Date.now() + minutes * 60_000;
const arrivalMs = Math.min(20_000, minutes * 6_000);
const visits = {};
const failures = {};

/** One slot in the crowd: a client connects, disconnects, and the next one connects. */
async function place(number) {
  const random = new Random(`${values.seed} ${number}`);
  // All at once, they would keep this process busy for longer than the server waits for a request.
  await new Promise((resolve) => setTimeout(resolve, random.whole(0, arrivalMs)));
  while (Date.now() < end) {
    const kind = random.oneOf(Object.keys(visitors));
    try {
      await visitors[kind](server.url, random, end);
    } catch (error) {
      const why = `${kind}: ${error.message.slice(0, 120)}`;
      failures[why] = (failures[why] ?? 0) + 1;
    }
    visits[kind] = (visits[kind] ?? 0) + 1;
  }
}

const samples = [];
const sampler = setInterval(async () => {
  try {
    const now = await look();
    samples.push(now.megabytes);
    say(`${now.megabytes.toFixed(1)} MB, of these ${now.allocated.toFixed(1)} in use, ${now.descriptors} descriptors, ` +
      `${now.sessions} sessions, ${now.rooms} rooms`);
  } catch (error) {
    say(`no answer: ${error.message}`);
  }
}, Math.min(30_000, minutes * 3_000));

await Promise.all(Array.from({length: clients}, (_, i) => place(i)));
clearInterval(sampler);
say(`visits ${JSON.stringify(visits)}`);
say(`failures ${JSON.stringify(failures, null, 1)}`);

// The server frees what clients left once its timeouts have passed: the pings of those that vanished.
const quietBoundMs = 120_000;
const spare = 3; // for this program's requests of the counts
let after;
await until(async () => {
  after = await look();
  return after.sessions === 0 && after.descriptors <= before.descriptors + spare;
}, () => `no session and no descriptor left; there are ${JSON.stringify(after)}`, quietBoundMs);
say(`afterwards ${JSON.stringify(after)}`);

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const third = Math.floor(samples.length / 3);
const [middle, last] = [median(samples.slice(third, 2 * third)), median(samples.slice(2 * third))];
const grown = last - middle;
say(`memory: ${middle.toFixed(1)} MB in the second third, ${last.toFixed(1)} MB in the last`);
const faults = [];
if (!(grown <= Math.max(3, 0.05 * middle))) faults.push(`memory grew by ${grown.toFixed(1)} MB`);
if (after.handlerErrors !== 0) faults.push(`${after.handlerErrors} handlers or stores failed`);
const visited = Object.values(visits).reduce((sum, count) => sum + count, 0);
const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
if (failed > visited / 100) faults.push(`${failed} of ${visited} visits failed`);
await server.stop();
for (const fault of faults) say(`fault: ${fault}`);
say(faults.length === 0 ? 'passed' : 'failed');
process.exit(faults.length === 0 ? 0 : 1);

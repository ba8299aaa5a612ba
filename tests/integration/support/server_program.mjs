// Starts and stops the server program under test.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';

const startBoundMs = 15_000;
const stopBoundMs = 10_000;

/**
 * Starts `program` and waits for the line that says where it listens. `options`: more for `spawn`, such as `env`.
 * @returns {Promise<{url: string, port: number, pid: number, output: string[], signal: (name: string) => void,
 *     stop: () => Promise<void>, kill: () => Promise<void>}>}  `output`: the lines so far; `stop` sends SIGTERM and fails
 *     unless the program ends with exit code 0; `kill` sends SIGKILL and waits for the end, after which the program's
 *     files are unlocked; `signal` does not wait
 */
export async function startServer(program, args, options = {}) {
  const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'pipe'], ...options});
  const ended = once(child, 'exit');
  const output = [];
  const url = await new Promise((resolve, reject) => {
    const fail = (why) => {
      child.kill('SIGKILL');
      reject(new Error(`${program} ${why}\n${output.join('\n')}`));
    };
    const timer = setTimeout(() => fail('did not say that it listens'), startBoundMs);
    const read = (line) => {
      output.push(line);
      const found = line.match(/https?:\/\/127\.0\.0\.1:\d+\//);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[0]);
    };
    createInterface({input: child.stdout}).on('line', read);
    createInterface({input: child.stderr}).on('line', read);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${signal ?? code}`);
    });
  });
  const killChild = () => child.kill('SIGKILL');
  process.once('exit', killChild);
  child.once('exit', () => process.off('exit', killChild));

  const stop = async () => {
    let timer;
    if (child.exitCode === null && child.signalCode === null) {
      timer = setTimeout(() => child.kill('SIGKILL'), stopBoundMs);
      child.kill('SIGTERM');
    }
    const [code, signal] = await ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`${program} ended with ${signal ?? code}\n${output.join('\n')}`);
  };
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  const signal = (name) => child.kill(name);
  return {url, port: Number(new URL(url).port), pid: child.pid, output, signal, stop, kill};
}

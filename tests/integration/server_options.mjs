// What flux-server's options do. If its stores are unavailable: exit code 1, one line with the reason, and no password.
// Run with plain `node`.
//
// FLUX_SERVER          the server program; required. Stores that it was built without are skipped, unless
// FLUX_TEST_DATABASES  is "required"

import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {createHmac} from 'node:crypto';
import {once} from 'node:events';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {after, test} from 'node:test';
import {load} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';

const {io} = load('socket.io-client');
const {WebSocket} = load('ws');

const boundMs = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'flux-server-options-'));
after(() => rmSync(folder, {recursive: true}));

const run = (...args) => spawnSync(process.env.FLUX_SERVER, args, {encoding: 'utf8', timeout: boundMs});

function refused(args, pattern) {
  const {status, stdout, stderr} = run('--port', '0', ...args);
  assert.equal(status, 1, `${args}: exit code 1, not ${status}; ${stderr}`);
  assert.equal(stdout, '', `${args}: it does not listen`);
  assert.match(stderr, pattern);
  assert.match(stderr, /^flux-server: --[^\n]+\n$/, 'one line, which names the option');
  assert.doesNotMatch(stderr, /secret/, `${args}: no password`);
}

/** A client of protocol live; `ask` resolves to the answer: `{type, code?, message?}`. */
async function connect(url, token) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}live${token ? `?access_token=${token}` : ''}`);
  await once(socket, 'open');
  const waiting = new Map();
  let id = 0;
  socket.on('message', (data) => {
    const answer = JSON.parse(data);
    waiting.get(answer.id)?.({type: answer.type, ...answer.payload});
  });
  const ask = (type, payload) =>
    new Promise((resolve) => {
      waiting.set(++id, resolve);
      socket.send(JSON.stringify({type, id, payload}));
    });
  return {ask, end: () => socket.terminate()};
}

const files = ['--files', join(folder, 'files')];
const options = [['--chat'], ['--rooms'], [...files, '--file-index']];
const {stderr: choices} = run('--rooms', 'what there is');
const needed = process.env.FLUX_TEST_DATABASES === 'required';
const without = (kind) => !needed && !choices.includes(`${kind}:`) && `flux-server was built without ${kind}`;

test('a store of an unknown kind', () => {
  for (const option of options) {
    for (const spec of ['', 'oracle:secret', 'postgre://u:secret@h/db', 'redis']) {
      refused([...option, spec], new RegExp(`${option.at(-1)} takes .*, not "${spec.split(':')[0]}"`));
    }
  }
  refused(['--rooms', 'memory'], /--rooms takes/);
});

test('options that exclude or require each other', () => {
  refused(['--file-index', 'sqlite:x'], /--file-index requires --files/);
  refused(['--max-file-size', '5'], /--max-file-size requires --files/);
  for (const option of ['--upload-expires', '--unstarted-expires', '--unshared-expires', '--file-quota', '--file-quota-per-owner',
    '--unfinished-per-address', '--unfinished-bytes-per-address']) {
    refused([option, '5'], new RegExp(`${option} requires --files`));
  }
  for (const option of ['--tls-cert', '--tls-key']) refused([option, 'x.pem'], /--tls-cert and --tls-key must be given together/);
  refused(['--chat', 'postgres://u:secret@h/db', '--chat-history', '5'], /--chat-history requires --chat memory/);
});

test('invalid values', () => {
  refused(['--files', ''], /--files takes the folder of the files, not ""/);
  refused(['--connections-per-address', 'many'], /--connections-per-address takes a number from 0 to \d+, not "many"/);
  refused(['--port', '70000'], /--port takes a number from 0 to 65535, not "70000"/);
  refused(['--deflate=yes'], /--deflate takes no value, not "yes"/);
  const words = (...args) => run('--port', '0', ...args).stderr;
  assert.match(words('--trusted-proxy', 'proxy.example'), /Config::trusted_proxies takes addresses and ranges .* not "proxy.example"/);
  for (const option of ['--max-frames', '--max-chat', '--max-room-id', '--max-presence', '--max-message', '--message-burst',
    '--user-message-burst', '--address-message-burst']) {
    refused([option, '0'], new RegExp(`${option} takes a number from [12] to \\d+, not "0"`));
  }
  refused(['--room-list=yes'], /--room-list takes no value, not "yes"/);
  assert.match(words('--origin', 'app.example.com'), /Config::origins: "app.example.com" is not an origin/);
  for (const file of [join(folder, 'none.js'), folder]) {
    assert.equal(words('--socketio-client', file), `flux-server: can't read the file "${file}"\n`);
  }
});

test('message rates from the command line apply', async () => {
  const rates = ['--messages-per-second', '1', '--message-burst', '2', '--user-messages-per-second', '5',
    '--user-message-burst', '5', '--address-messages-per-second', '5', '--address-message-burst', '5'];
  const server = await startServer(process.env.FLUX_SERVER, ['--port', '0', ...rates, '--rate-limit-strikes', '3']);
  const socket = new WebSocket(new URL('live', server.url.replace('http', 'ws')));
  await once(socket, 'open');
  for (let i = 0; i < 60; ++i) socket.send('{"type":"nothing"}'); // far more than the rate refills meanwhile
  assert.equal((await once(socket, 'close'))[0], 4429);
  await server.stop();
});

const secret = 'x'.repeat(32);
const secretFile = join(folder, 'secret.key');
writeFileSync(secretFile, secret);

/** A token of these claims, which ends in ten minutes unless they say otherwise. */
function tokenOf(claims, {kid, key = secret} = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  const signed = `${part({alg: 'HS256', kid})}.${part({sub: 'ann', exp, ...claims})}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** The code that a client of protocol live is closed with which shows `token`; 0 if it may stay. */
async function closeCode(url, token) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}live${token ? `?access_token=${token}` : ''}`);
  const closed = once(socket, 'close').then(([code]) => code);
  await once(socket, 'open');
  socket.send('{"type":"leave_room","id":1}'); // answered if it may stay
  const code = await Promise.race([closed, once(socket, 'message').then(() => 0)]);
  socket.terminate();
  return code;
}

test('--jwt-issuer, --jwt-audience and --require-auth: only tokens of this issuer for this audience', async () => {
  const who = ['--jwt-issuer', 'https://login.example.com', '--jwt-audience', 'chat'];
  const server = await startServer(process.env.FLUX_SERVER,
    ['--port', '0', '--jwt-secret-file', secretFile, ...who, '--require-auth']);
  const right = {iss: 'https://login.example.com', aud: 'chat'};
  assert.equal(await closeCode(server.url, tokenOf(right)), 0);
  const wrong = [{iss: undefined}, {iss: 'https://other.example.com'}, {aud: undefined}, {aud: 'shop'}, {exp: 1}];
  for (const claim of wrong) assert.equal(await closeCode(server.url, tokenOf({...right, ...claim})), 4401);
  assert.equal(await closeCode(server.url), 4401);
  await server.stop();
});

test('without --require-auth a client without a token gets in, one with a bad token does not', async () => {
  const server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--jwt-secret-file', secretFile]);
  assert.equal(await closeCode(server.url), 0);
  assert.equal(await closeCode(server.url, tokenOf({}, {key: 'y'.repeat(32)})), 4401);
  await server.stop();
});

test('--jwks FILE: the key with the id of the token; FLUX_JWT_SECRET: the secret from the environment', async () => {
  const file = join(folder, 'keys.json');
  const k = Buffer.from(secret).toString('base64url');
  writeFileSync(file, JSON.stringify({keys: [{kty: 'oct', alg: 'HS256', kid: 'one', k}]}));
  const byFile = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--jwks', file, '--require-auth']);
  assert.equal(await closeCode(byFile.url, tokenOf({}, {kid: 'one'})), 0);
  // 4401 if the file was read for this token, 1013 if that was a moment ago: then the key may still come.
  assert.ok([1013, 4401].includes(await closeCode(byFile.url, tokenOf({}, {kid: 'two'}))));
  await byFile.stop();
  const byEnvironment = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--require-auth'],
    {env: {...process.env, FLUX_JWT_SECRET: secret}});
  assert.equal(await closeCode(byEnvironment.url, tokenOf({})), 0);
  assert.equal(await closeCode(byEnvironment.url), 4401);
  await byEnvironment.stop();
});

test('--api-keys: without a key nobody gets in, and the file is created', async () => {
  const file = join(folder, 'api-keys');
  const server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--api-keys', file, '--require-auth']);
  assert.equal(await closeCode(server.url), 4401);
  assert.equal(await closeCode(server.url, 'flux_unknown'), 4401);
  await server.stop();
  assert.equal(existsSync(file), true);
});

test('--rate-limit: an operation beyond its rate is refused with the time to retry', async () => {
  const server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--rate-limit', 'send_chat=2/3600']);
  const client = await connect(server.url);
  await client.ask('join_room', {roomId: 'r'});
  for (let i = 0; i < 2; ++i) assert.equal((await client.ask('send_chat', {message: 'm'})).type, 'ack');
  const refusal = await client.ask('send_chat', {message: 'm'});
  assert.equal(refusal.code, 'RATE_LIMITED');
  assert.ok(refusal.retryAfter > 0, JSON.stringify(refusal));
  client.end();
  await server.stop();
});

test('options for logging in that exclude or require each other, or are wrong', () => {
  const words = (...args) => run('--port', '0', ...args).stderr;
  assert.match(words('--require-auth'), /--require-auth requires a way to log in/);
  assert.match(words('--jwt-issuer', 'x'), /--jwt-issuer and --jwt-audience require --jwt-secret-file or --jwks/);
  assert.match(words('--jwks-ca', 'ca.pem', '--jwt-secret-file', secretFile), /--jwks-ca requires --jwks/);
  assert.match(words('--demand', 'join=read'), /--demand requires a way to log in/);
  assert.match(words('--demand', 'dance=read', '--jwt-secret-file', secretFile), /WHAT is one of join, /);
  for (const rate of ['send_chat', 'send_chat=0/1', 'send_chat=1', '=1/1', 'send_chat=1/90000', 'send_chat=x/1']) {
    assert.match(words('--rate-limit', rate), /--rate-limit takes OPERATION=COUNT\/SECONDS/);
  }
  assert.match(words('--rate-limit', 'dance=1/1'), /dance/);
});

test('--demand: a token without the permission is refused, one with it is not', async () => {
  const token = (permissions) => tokenOf({permissions});
  const demands = ['--demand', 'join=read', '--demand', 'events=write'];
  const server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--jwt-secret-file', secretFile, ...demands]);
  const reader = await connect(server.url, token(['read:r']));
  assert.equal((await reader.ask('join_room', {roomId: 'r'})).type, 'ack');
  assert.equal((await reader.ask('broadcast_event', {event: 'e'})).code, 'FORBIDDEN');
  assert.equal((await reader.ask('join_room', {roomId: 'other'})).code, 'FORBIDDEN');
  const writer = await connect(server.url, token(['read:r', 'write:r']));
  assert.equal((await writer.ask('join_room', {roomId: 'r'})).type, 'ack');
  assert.equal((await writer.ask('broadcast_event', {event: 'e'})).type, 'ack');
  reader.end();
  writer.end();
  await server.stop();
});

test('limits from the command line apply, and rooms are listed with --room-list', async () => {
  const limits = ['--max-chat', '3', '--max-room-id', '2', '--max-presence', '8', '--max-frames', '2', '--room-list'];
  const server = await startServer(process.env.FLUX_SERVER, ['--port', '0', ...limits]);
  const client = await connect(server.url);
  assert.match((await client.ask('join_room', {roomId: 'abc'})).message, /at most 2 /);
  assert.match((await client.ask('join_room', {roomId: 'ab', presence: {n: 'long'}})).message, /at most 8 /);
  assert.equal((await client.ask('join_room', {roomId: 'ab'})).type, 'ack');
  assert.match((await client.ask('send_chat', {message: 'long'})).message, /at most 3 /);
  client.end();
  const socket = new WebSocket(new URL('live', server.url.replace('http', 'ws')));
  await once(socket, 'open');
  for (const fin of [false, false, true]) socket.send(' ', {fin});
  assert.equal((await once(socket, 'close'))[0], 1009);
  const lists = async (url) => {
    const socket = io(url, {transports: ['websocket']});
    const answer = await socket.timeout(boundMs).emitWithAck('room:list');
    socket.close();
    return answer.success;
  };
  assert.equal(await lists(server.url), true);
  await server.stop();
  const silent = await startServer(process.env.FLUX_SERVER, ['--port', '0']);
  assert.equal(await lists(silent.url), false);
  await silent.stop();
});

test('the reader of the log exits: the server continues', async () => {
  const child = spawn(process.env.FLUX_SERVER, ['--port', '0'], {stdio: ['ignore', 'pipe', 'pipe']});
  const ended = once(child, 'exit');
  const port = await new Promise((resolve) => {
    createInterface({input: child.stdout}).on('line', (line) => resolve(line.match(/:(\d+)\//)[1]));
  });
  child.stderr.destroy();
  child.stdout.destroy();
  for (let i = 0; i < 3; ++i) {
    child.kill('SIGHUP'); // it has no certificates to reload, and says so
    const client = await connect(`http://127.0.0.1:${port}/`);
    assert.equal((await client.ask('leave_room', {})).type, 'ack');
    client.end();
  }
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});

test('--help is shown whatever the other arguments are', () => {
  const {status, stdout} = run('--file-index', 'sqlite:x', '--rooms', 'oracle', '--help');
  assert.equal(status, 0);
  for (const name of ['--chat STORE', '--rooms STORE', '--file-index STORE']) assert.ok(stdout.includes(name), name);
});

test('SQLite: no path, and a folder that does not exist', {skip: without('sqlite')}, () => {
  for (const option of options) {
    refused([...option, 'sqlite:'], /needs the path of a file/);
    refused([...option, `sqlite:${join(folder, 'no', 'such.sqlite')}`], /unable to open/);
  }
});

test('PostgreSQL: a server that does not exist, in every form of the address', {skip: without('postgres')}, () => {
  const none = `u:secret@/db?host=${encodeURIComponent(join(folder, 'none'))}`;
  const urls = [`postgres://${none}`, `postgresql://${none}`, `postgres:postgresql://${none}`];
  for (const option of options) {
    for (const url of urls) refused([...option, url], /in PostgreSQL: .*flux-server-options-.*none/);
    refused([...option, `postgres:host=${join(folder, 'none')} password=secret`], /in PostgreSQL: .*none/);
    refused([...option, 'postgres:password=a secret'], /PostgreSQL connection string/);
  }
});

test('MySQL: a server that does not exist, in every form of the address', {skip: without('mysql')}, () => {
  const none = `//u:secret@localhost/db?socket=${encodeURIComponent(join(folder, 'none'))}`;
  for (const option of options) {
    for (const url of [`mysql:${none}`, `mysql:mysql:${none}`]) refused([...option, url], /in MySQL: .*none/);
    refused([...option, 'mysql://u:se/secret@h/db'], /MySQL URL/);
  }
});

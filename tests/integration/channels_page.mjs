// The page of examples/channels in Chromium: over WebSocket, without a network, and over server-sent events; and flux.js in a
// worker. Run with plain `node`.
//
// FLUX_SERVER     the server program; required
// CHROMIUM        the browser; default /usr/bin/chromium
// SCREENSHOT_DIR  the folder for the screenshots; default: a temporary folder

import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {connect as connectSocket, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {laptop, phone, startBrowser} from './support/browser.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const boundMs = 60_000;
const folder = fileURLToPath(new URL('../../examples/channels', import.meta.url));
const workerFolder = mkdtempSync(join(tmpdir(), 'flux-worker-'));
const screenshots = process.env.SCREENSHOT_DIR ?? join(tmpdir(), 'flux-channels-page');

let server;
let browser;
const problems = [];

before(async () => {
  mkdirSync(screenshots, {recursive: true});
  browser = await startBrowser();
  server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--static', folder, '--static',
    `/worker=${workerFolder}`, '--channels', join(folder, 'channels.json'), '--origin', '*']);
});
after(async () => {
  await browser.close();
  await server.stop();
  rmSync(workerFolder, {recursive: true});
});

async function open(url, name, kind = laptop) {
  const context = await browser.newContext(kind);
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(`${name}: ${error.message}`));
  await page.goto(`${url}?name=${name}`);
  return page;
}
const state = (page) => page.locator('#status').getAttribute('data-state');
const lines = (page) => page.locator('#messages li').allTextContents();
const is = (page, wanted) => until(async () => (await state(page)) === wanted, `the state ${wanted}`, boundMs);
async function publish(page, text) {
  await page.fill('#text', text);
  await page.click('#publish button');
}
const has = (page, text, count = 1) =>
  until(async () => (await lines(page)).filter((line) => line.endsWith(text)).length === count, `${count} of "${text}"`, boundMs);

test('two pages publish, see each other, vote, and recover what they missed', async () => {
  const ann = await open(server.url, 'Ann');
  const ben = await open(server.url, 'Ben', phone);
  await Promise.all([is(ann, 'open'), is(ben, 'open')]);
  await publish(ann, 'soup today');
  await Promise.all([has(ann, 'soup today'), has(ben, 'soup today')]);
  await until(async () => (await ann.textContent('#people-title')) === 'Here now: 2', 'two are here', boundMs);
  await ann.click('#poll button:nth-child(2)');
  await ben.click('#poll button:nth-child(2)');
  await until(async () => (await ben.textContent('#poll button:nth-child(2) b')) === '2', 'two votes', boundMs);

  await ben.context().setOffline(true);
  await ben.evaluate(() => globalThis.dispatchEvent(new Event('online'))); // asks, and finds nobody
  await publish(ben, 'written in a tunnel');
  await is(ben, 'waiting');
  for (const text of ['one', 'two', 'three']) await publish(ann, text);
  await has(ann, 'three');
  await ben.screenshot({path: join(screenshots, 'channels_offline.png')});
  await ben.context().setOffline(false);
  await is(ben, 'open');
  for (const text of ['one', 'two', 'three', 'written in a tunnel']) await has(ben, text);
  await has(ann, 'written in a tunnel');
  assert.match(await ben.textContent('#recovery'), /missed and recovered/);
  await until(async () => (await ann.textContent('#people-title')) === 'Here now: 2', 'both are here again', boundMs);
  await ann.screenshot({path: join(screenshots, 'channels_laptop.png')});
  await ben.screenshot({path: join(screenshots, 'channels_phone.png')});

  const late = await open(server.url, 'Cleo');
  await has(late, 'written in a tunnel');
  await Promise.all([ann, ben, late].map((page) => page.context().close()));
});

test('where WebSockets fail, publications come as server-sent events', async () => {
  // A proxy that knows no upgrades.
  const proxy = createServer((client) => {
    const target = connectSocket(server.port, '127.0.0.1');
    client.on('data', (bytes) => (/^upgrade: websocket/im.test(bytes.toString('latin1')) ? client.destroy() : target.write(bytes)));
    target.on('data', (bytes) => client.write(bytes));
    const end = () => {
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) socket.on('error', end).on('close', end);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const ann = await open(server.url, 'Ann');
  const dan = await open(`http://127.0.0.1:${proxy.address().port}/`, 'Dan');
  await Promise.all([is(ann, 'open'), is(dan, 'events')]);
  await until(async () => {
    await publish(ann, 'by another way');
    return (await lines(dan)).some((line) => line.endsWith('by another way'));
  }, 'a publication', boundMs);
  await dan.screenshot({path: join(screenshots, 'channels_events.png')});
  await Promise.all([ann, dan].map((page) => page.context().close()));
  proxy.close();
});

test('a worker has the client that the server serves: it connects, subscribes and gets a publication', async () => {
  writeFileSync(join(workerFolder, 'index.html'), '<!doctype html><title>worker</title>');
  writeFileSync(join(workerFolder, 'worker.js'), `
    import {Flux} from '/flux.js'
    const flux = new Flux()
    const board = flux.subscribe('board:worker')
    board.on('subscribed', () => postMessage({state: flux.state}))
    board.on('message', ({data}) => postMessage({data, isWorker: typeof document === 'undefined'}))
  `);
  const page = await (await browser.newContext()).newPage();
  page.on('pageerror', (error) => problems.push(`worker: ${error.message}`));
  await page.goto(`${server.url}worker/`);
  await page.evaluate(() => {
    globalThis.heard = [];
    const worker = new Worker('worker.js', {type: 'module'});
    worker.onmessage = ({data}) => globalThis.heard.push(data);
    worker.onerror = ({message}) => globalThis.heard.push({error: message ?? 'the worker did not load'});
  });
  const heard = async (count) => {
    await until(() => page.evaluate((most) => globalThis.heard.length >= most, count), `${count} messages of the worker`, boundMs);
    return page.evaluate(() => globalThis.heard);
  };
  assert.deepEqual(await heard(1), [{state: 'open'}]);
  await page.evaluate(async () => {
    const {Flux} = await import('/flux.js');
    await new Flux().publish('board:worker', {n: 1});
  });
  assert.deepEqual((await heard(2))[1], {data: {n: 1}, isWorker: true});
  await page.context().close();
});

test('no page had an error', () => assert.deepEqual(problems, []));

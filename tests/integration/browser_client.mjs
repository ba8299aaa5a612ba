// A client in Chromium that only knows the first two tables of protocol live, so that it sends no ids and expects no
// acks. Run with plain `node`.
//
// FLUX_SERVER  the server program; required
// CHROMIUM     the browser; default /usr/bin/chromium

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';

import {startBrowser} from './support/browser.mjs';
import {startServer} from './support/server_program.mjs';

const boundMs = 60_000;

/** The complete client; runs in the page. */
function installClient() {
  window.connect = (url, roomId, name) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const client = {others: {}, events: [], chat: [], errors: [], unknown: [], extensions: '', closed: null, socket};
      client.send = (type, payload) => socket.send(JSON.stringify({type, payload}));
      socket.onopen = () => {
        client.extensions = socket.extensions;
        client.send('join_room', {roomId, presence: {cursor: null}, name});
      };
      socket.onerror = () => reject(new Error('refused'));
      socket.onclose = ({code}) => (client.closed = code);
      const handlers = {
        room_joined(payload) {
          client.id = payload.connectionId;
          client.others = {...payload.presence};
          delete client.others[client.id];
          client.chat.push(...payload.chatHistory);
          resolve(client);
        },
        presence_updated({joined = [], left = [], updated = []}) {
          for (const entry of [...joined, ...updated]) {
            if (entry.connectionId !== client.id) client.others[entry.connectionId] = entry;
          }
          for (const id of left) delete client.others[id];
        },
        broadcast_event: (payload) => client.events.push(payload),
        chat_message: (payload) => client.chat.push(payload),
        error: (payload) => client.errors.push(payload),
      };
      socket.onmessage = ({data}) => {
        const {type, payload, ...rest} = JSON.parse(data);
        if (!handlers[type] || Object.keys(rest).length > 0) return client.unknown.push(data);
        handlers[type](payload);
      };
    });
}

let folder;
let browser;
let server;
const pages = [];

async function open(url, room, name, from = server.url) {
  const page = await browser.newPage();
  pages.push(page);
  page.setDefaultTimeout(boundMs);
  await page.goto(from);
  await page.evaluate(installClient);
  await page.evaluate(
    async ([to, roomId, who]) => {
      window.client = await window.connect(to, roomId, who);
    },
    [`${url.replace('http', 'ws')}live`, room, name],
  );
  return page;
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-browser-'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><link rel="icon" href="data:,"><title>client</title>');
  server = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--static', folder, '--deflate']);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server.stop();
  rmSync(folder, {recursive: true});
});

test('two pages in a room: presence, events and chat arrive, and no message that they do not know', async () => {
  const ada = await open(server.url, 'garden', 'Ada');
  const ben = await open(server.url, 'garden', 'Ben');
  await ada.waitForFunction(() => Object.values(window.client.others).some((entry) => entry.name === 'Ben'));
  assert.deepEqual(await ben.evaluate(() => Object.values(window.client.others).map((entry) => entry.name)), ['Ada']);
  assert.match(await ada.evaluate(() => window.client.extensions), /^permessage-deflate/);

  await ada.evaluate(() => {
    for (let x = 0; x <= 50; ++x) window.client.send('update_presence', {presence: {cursor: {x}}});
  });
  await ben.waitForFunction(() => Object.values(window.client.others)[0]?.presence.cursor?.x === 50);

  await ben.evaluate(() =>
    window.client.send('broadcast_event', {event: 'draw', payload: {points: Array(2000).fill([1, 2])}}),
  );
  await ada.waitForFunction(() => window.client.events.length === 1);
  assert.equal(await ada.evaluate(() => window.client.events[0].payload.points.length), 2000);

  await ada.evaluate(() => window.client.send('send_chat', {message: 'grüße 👋', metadata: {bold: true}}));
  for (const page of [ada, ben]) {
    await page.waitForFunction(() => window.client.chat.length === 1);
    assert.deepEqual(await page.evaluate(() => [window.client.chat[0].message, window.client.chat[0].metadata]), [
      'grüße 👋',
      {bold: true},
    ]);
  }
  const late = await open(server.url, 'garden', 'Eve');
  assert.equal(await late.evaluate(() => window.client.chat[0].message), 'grüße 👋');

  await ben.evaluate(() => window.client.socket.send('no JSON'));
  await ben.waitForFunction(() => window.client.errors[0]?.code === 'INVALID_JSON');
  await ben.close();
  await ada.waitForFunction(() => Object.values(window.client.others).every((entry) => entry.name === 'Eve'));
  for (const page of [ada, late]) {
    assert.deepEqual(await page.evaluate(() => [window.client.unknown, window.client.errors]), [[], []]);
  }
});

test('pages of origins that are not allowed are refused; those of the allowed one can connect', async () => {
  const origin = server.url.slice(0, -1);
  const strict = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--origin', origin, '--static', folder]);
  const page = await open(strict.url, 'room', 'Ada', server.url);
  assert.deepEqual(await page.evaluate(() => window.client.others), {});
  await assert.rejects(open(strict.url, 'room', 'Eve', strict.url), /refused/);
  await page.close();
  await strict.stop();
});

test('a server that ends closes pages with 1001', async () => {
  const ending = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--origin', '*']);
  const page = await open(ending.url, 'room', 'Ada');
  await ending.stop();
  await page.waitForFunction(() => window.client.closed === 1001);
});

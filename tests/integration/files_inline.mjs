// Files of types that browsers may display, opened in a Chromium tab. Run with plain `node`.
//
// FLUX_FILE_SERVER  the program of tests/support/file_server.cpp; required
// CHROMIUM          the browser; default /usr/bin/chromium

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';

import {startBrowser} from './support/browser.mjs';
import {ask} from './support/files.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const boundMs = 60_000;
let folder;
let server;
let browser;
let page;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-inline-'));
  const types = 'audio/*,video/*,image/*,text/html';
  server = await startServer(process.env.FLUX_FILE_SERVER, ['--dir', folder, '--inline', types]);
  browser = await startBrowser();
  page = await browser.newPage();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, {recursive: true});
});

/** A second of silence, 8 bits at 8 kHz. */
function silence() {
  const samples = Buffer.alloc(8_000, 128);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8_000, 24);
  head.writeUInt32LE(8_000, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

/** Some frames of a canvas, as WebM. */
async function clip() {
  await page.goto('data:text/html,<canvas></canvas>');
  const bytes = await page.evaluate(async () => {
    const canvas = document.querySelector('canvas');
    const recorder = new MediaRecorder(canvas.captureStream(25), {mimeType: 'video/webm'});
    const pieces = [];
    const stopped = new Promise((resolve) => Object.assign(recorder, {ondataavailable: ({data}) => pieces.push(data), onstop: resolve}));
    recorder.start();
    for (let x = 0; x < 10; ++x) {
      canvas.getContext('2d').fillRect(x, 0, 10, 10);
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 40)));
    }
    recorder.stop();
    await stopped;
    return [...new Uint8Array(await new Blob(pieces).arrayBuffer())];
  });
  return Buffer.from(bytes);
}

const picture = (fill) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><style>rect {fill: ${fill}}</style><rect width="40" ` +
  'height="40"/><script>document.documentElement.setAttribute("class", "ran")</script></svg>';

async function open(type, body) {
  const {headers} = await ask(server.port, 'POST', '/files', {headers: {'Content-Type': type}, body});
  await page.goto(new URL(headers.location, server.url).href);
}

for (const [type, make] of [
  ['audio/wav', silence],
  ['video/webm', clip],
]) {
  test(`${type}: it plays in its tab`, async () => {
    await open(type, await make());
    const isReady = () => page.evaluate(() => document.querySelector('video')?.readyState >= 2);
    await until(isReady, 'its first frame', boundMs);
    assert.equal(await page.evaluate(() => document.querySelector('video').error), null);
  });
}

test('image/png: it is displayed in its tab', async () => {
  const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  await open('image/png', Buffer.from(png, 'base64'));
  assert.equal(await page.evaluate(() => document.images[0].naturalWidth), 1);
  assert.equal(await page.evaluate(() => getComputedStyle(document.images[0]).display), 'block');
  page.removeAllListeners('console');
  assert.deepEqual(complaints, []);
});

test('image/svg+xml: its own styles are applied, and its script does not run', async () => {
  await open('image/svg+xml', picture('rgb(1, 2, 3)'));
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('rect')).fill), 'rgb(1, 2, 3)');
  assert.equal(await page.evaluate(() => document.documentElement.getAttribute('class')), null);
});

test('text/html: even if it is displayed, its script does not run, and it has no origin', async () => {
  await open('text/html', '<p>text</p><script>document.body.className = "ran"</script>');
  assert.equal(await page.evaluate(() => document.body.className), '');
  assert.equal(await page.evaluate(() => globalThis.origin), 'null');
});

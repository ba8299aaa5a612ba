// The data sharing demo in Chromium: two people, on a laptop and a phone, and others who join later. Run with plain
// `node`.
//
// FLUX_SERVER     the server program; required
// CHROMIUM        the browser; default /usr/bin/chromium
// SCREENSHOT_DIR  the folder for the screenshots; default: a temporary folder

import assert from 'node:assert/strict';
import {createHash, randomBytes} from 'node:crypto';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {isStill, laptop, phone, startBrowser} from './support/browser.mjs';
import {pathIn} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const boundMs = 60_000;
const program = process.env.FLUX_SERVER;
const folderOf = (example) => fileURLToPath(new URL(`../../examples/${example}`, import.meta.url));
const screenshots = process.env.SCREENSHOT_DIR ?? join(tmpdir(), 'flux-share-page');

const fileBytesMax = 40_000_000;
const largeBytes = 16_000_000;
const slowBytesPerSecond = 500_000; // slow enough to see an upload begin
const crawlBytesPerSecond = 20_000; // so slow that it does not end before the test has looked at it
const quietMs = 700; // how long to watch that nothing happens


let server;
let browser;
let folder; // of this run: the server's files, and those to be uploaded
let ada; // on the laptop
let ben; // on the phone
let devTools; // of Ada's page
let isRoomLost = false; // along with its files, so that its pictures no longer load
const problems = [];
const created = []; // names of the uploads that pages have created, in order

const serverArguments = (port) => [
  ...['--port', String(port)],
  ...['--static', folderOf('collab')],
  ...['--static', `/share/=${folderOf('share')}`],
  ...['--files', join(folder, 'server')],
  ...['--max-file-size', String(fileBytesMax)],
  '--room-list',
  ...['--socketio-client', pathIn('socket.io-client', 'dist/socket.io.min.js')],
];

async function openPage(name, device, hash = '') {
  const context = await browser.newContext({...device, locale: 'en-GB', timezoneId: 'UTC'});
  const page = await context.newPage();
  page.setDefaultTimeout(boundMs);
  page.on('pageerror', (error) => problems.push(`${name}: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    // Reported by the browser while the server restarts, and when the server refuses what it should.
    const isExpected = /WebSocket connection to|net::ERR_|status of 413/.test(message.text());
    const isLostFile = isRoomLost && message.location().url.includes('/files/') && /of 404/.test(message.text());
    if (message.type() === 'error' && !isExpected && !isLostFile) problems.push(`${name}: ${message.text()}`);
  });
  await page.addInitScript(() => {
    window.filesChosen = 0;
    addEventListener('change', ({target}) => (window.filesChosen += target.files?.length ?? 0), true);
  });
  page.on('request', (request) => {
    if (request.method() === 'POST' && new URL(request.url()).pathname === '/files') created.push(fileNameOf(request));
  });
  await page.goto(`${server.url}share/${hash}`);
  await isConnected(page);
  return page;
}

function fileNameOf(request) {
  const [, base64] = request.headers()['upload-metadata'].match(/filename ([^,]*)/);
  return Buffer.from(base64, 'base64').toString();
}

const isConnected = (page) => page.waitForSelector('#status[data-state=open]', {state: 'attached'});

/** On a phone the rooms are behind a button. */
async function openMenu(page) {
  if ((await page.isVisible('#menu')) && (await page.getAttribute('#menu', 'aria-expanded')) === 'false')
    await page.click('#menu');
}

async function createRoom(page, roomId, mode, capacity) {
  await openMenu(page);
  await page.click('#new-room summary');
  await page.fill('#room-name', roomId);
  await page.check(`input[name=mode][value=${mode}]`);
  await page.fill('#capacity', String(capacity));
  await page.click('#create button[type=submit]');
}

const openRoom = (page, roomId) => page.locator('.open-room', {hasText: roomId});

async function joinRoom(page, roomId) {
  await openMenu(page);
  await openRoom(page, roomId).getByRole('button').click();
  await isIn(page, roomId);
}

async function goTo(page, name) {
  await openMenu(page);
  await page.locator('.own-place', {hasText: name}).click();
  await isIn(page, name);
}

const isIn = (page, name) => page.locator('#place-name', {hasText: name}).waitFor();
const factsAre = (page, text) => page.locator('#place-facts', {hasText: text}).waitFor();

async function shareText(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

const item = (page, text) => page.locator('.item', {hasText: text});
const hasItem = (page, text) => item(page, text).first().waitFor({state: 'attached'});
const hasNoItem = (page, text) => item(page, text).waitFor({state: 'detached'});
const titles = (page) => page.locator(':is(.item-text, .item-name)').allTextContents();
const upload = (page, name) => page.locator('#uploads .upload', {hasText: name});

/** Chooses files, and makes sure that the browser has told the page of them; if it has not, chooses them again. */
async function choose(page, ...paths) {
  const seen = () => page.evaluate(() => window.filesChosen);
  const before = await seen();
  for (let attempt = 1; ; attempt++) {
    await page.setInputFiles('#picker', paths);
    if ((await seen()) === before + paths.length) return;
    assert.ok(attempt < 3, `the page was told of ${(await seen()) - before} instead of ${paths.length} chosen files`);
    console.log(`# the page was not told of the chosen files: ${paths}`);
  }
}

/** A DataTransfer in the page that holds this file. */
function transferOf(page, name, type, content) {
  return page.evaluateHandle(
    ([fileName, mimeType, base64]) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], fileName, {type: mimeType}));
      return transfer;
    },
    [name, type, Buffer.from(content).toString('base64')],
  );
}

/** A picture to look at, as a PNG. */
async function picture(page) {
  const url = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 640, height: 420});
    const context = canvas.getContext('2d');
    const sky = context.createLinearGradient(0, 0, 0, 420);
    for (const [at, color] of [[0, '#31456f'], [0.55, '#e99b7a'], [1, '#f7d9a8']]) sky.addColorStop(at, color); // prettier-ignore
    context.fillStyle = sky;
    context.fillRect(0, 0, 640, 420);
    for (const [height, color] of [
      [300, '#5b5c7d'],
      [340, '#3c4565'],
      [380, '#232c45'],
    ]) {
      // prettier-ignore
      context.fillStyle = color;
      context.beginPath();
      context.moveTo(0, 420);
      for (let x = 0; x <= 640; x += 20) context.lineTo(x, height + 26 * Math.sin(x / 70 + height));
      context.lineTo(640, 420);
      context.fill();
    }
    return canvas.toDataURL('image/png');
  });
  return Buffer.from(url.split(',')[1], 'base64');
}

function makeFile(name, bytes) {
  const path = join(folder, name);
  const content = typeof bytes === 'number' ? randomBytes(bytes) : Buffer.from(bytes);
  writeFileSync(path, content);
  return {name, path, hash: hashOf(content)};
}

const hashOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** What a file's download link returns: `{hash, disposition}`. */
async function download(page, name) {
  const href = await item(page, name).locator('a').getAttribute('href');
  const answer = await fetch(new URL(href, server.url));
  assert.equal(answer.status, 200, `${href}: ${answer.status}`);
  return {
    hash: hashOf(Buffer.from(await answer.arrayBuffer())),
    disposition: answer.headers.get('content-disposition'),
  };
}

/** The upload's URL, as remembered by this page. */
function uploadUrl(page, name) {
  return until(
    () =>
      page.evaluate((wanted) => {
        const all = Object.entries(JSON.parse(localStorage.getItem('flux.uploads') ?? '{}'));
        return all.find(([key]) => JSON.parse(key)[0] === wanted)?.[1].url;
      }, name),
    `the URL of ${name} is remembered`,
    boundMs,
  );
}

const askTus = (url, method = 'HEAD') => fetch(url, {method, headers: {'Tus-Resumable': '1.0.0'}});

/** How much of an upload the server has. Asking takes the upload over from a request that is writing to it. */
async function offsetOf(url) {
  const answer = await askTus(url);
  assert.ok(answer.ok, `HEAD ${url}: ${answer.status}`);
  return Number(answer.headers.get('upload-offset'));
}

/** Throttles Ada's uploads; 0: no limit. */
async function limitUploads(bytesPerSecond) {
  devTools ??= await ada.context().newCDPSession(ada);
  await devTools.send('Network.enable');
  await devTools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond || -1,
  });
}

/** Ada begins to upload the file, and stays at its beginning until `limitUploads(0)`. */
async function beginUpload(file) {
  await limitUploads(slowBytesPerSecond);
  await choose(ada, file.path);
  await until(
    () =>
      upload(ada, file.name)
        .locator('progress')
        .evaluate((bar) => bar.value / bar.max >= 0.05),
    `${file.name} has begun`,
    boundMs,
  );
  await limitUploads(crawlBytesPerSecond);
}

const isPicture = (page, name) =>
  until(
    () =>
      item(page, name)
        .locator('img')
        .evaluate((image) => image.complete && image.naturalWidth > 0),
    `the picture ${name} is shown`,
    boundMs,
  );

async function shoot(page, name) {
  await isStill(page);
  await page.screenshot({path: join(screenshots, `share-${name}.png`)});
}

before(async () => {
  assert.ok(program, 'FLUX_SERVER names the server program');
  mkdirSync(screenshots, {recursive: true});
  folder = mkdtempSync(join(tmpdir(), 'flux-share-'));
  server = await startServer(program, serverArguments(0));
  browser = await startBrowser();
  ada = await openPage('Ada', laptop);
  ben = await openPage('Ben', phone);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder) rmSync(folder, {recursive: true});
  console.log(`# screenshots: ${screenshots}`);
});

test('server: two folders of pages are served, each under its prefix', async () => {
  for (const [path, title] of Object.entries({'': 'flux', 'share/': 'flux share'})) {
    const page = await (await fetch(server.url + path)).text();
    assert.match(page, new RegExp(`<title>${title}</title>`));
  }
});

test('public space: text is exchanged in both directions, and HTML is shown as text', async () => {
  await shoot(ben, 'phone-empty');
  await shareText(ada, 'The seed list for spring:\n- broad beans\n- sweet peas');
  await hasItem(ben, 'broad beans');
  const markup = '<img src=x onerror="document.title=\'owned\'"><b>bold</b> & more';
  await shareText(ben, markup);
  await hasItem(ada, markup);
  assert.equal(await item(ada, markup).locator('.item-text').textContent(), markup);
  assert.equal(await ada.locator('.items :is(img, b)').count(), 0);
  assert.match(await ada.title(), /Public space · flux share$/);
});

test('public space: a file of any name is shared with everyone, and downloaded as it was uploaded', async () => {
  const file = makeFile('Pläne "für" <b>2027 🌱.txt', 'Dig, sow, water.\n');
  await choose(ada, file.path);
  for (const page of [ada, ben]) {
    await hasItem(page, file.name);
    assert.equal(await item(page, file.name).locator('.item-name').textContent(), file.name);
    assert.equal(await page.locator('.items b').count(), 0);
  }
  const {hash, disposition} = await download(ben, file.name);
  assert.equal(hash, file.hash);
  assert.match(disposition, /^attachment/);
  assert.equal(await upload(ada, file.name).count(), 0, 'the row of the upload is gone');
});

test('public space: an empty file is a file', async () => {
  const file = makeFile('nothing.txt', '');
  await choose(ada, file.path);
  await hasItem(ben, file.name);
  assert.equal((await download(ben, file.name)).hash, file.hash);
});

test('public space: pictures have previews, and can be viewed in full', async () => {
  const file = makeFile('evening hills.png', await picture(ada));
  await choose(ben, file.path);
  for (const page of [ada, ben]) {
    await hasItem(page, file.name);
    await item(page, file.name).scrollIntoViewIfNeeded();
    await isPicture(page, file.name);
  }
  await shoot(ada, 'laptop-light-public');
  await shoot(ben, 'phone-dark-public');
  await ada.getByRole('button', {name: `Show ${file.name}`}).click();
  await until(() => ada.$eval('#viewer-image', ({naturalWidth}) => naturalWidth === 640), 'the whole picture', boundMs);
  await shoot(ada, 'laptop-light-picture');
  await ada.keyboard.press('Escape');
  await ada.locator('#viewer').waitFor({state: 'hidden'});
});

test('public space: a file with the type of a picture that is not one is shown as a file', async () => {
  const file = makeFile('broken.png', 'This is no picture.');
  await choose(ada, file.path);
  await hasItem(ben, file.name);
  await item(ben, file.name).scrollIntoViewIfNeeded();
  await until(async () => (await item(ben, file.name).locator('img').count()) === 0, 'the preview is gone', boundMs);
  assert.equal((await download(ben, file.name)).hash, file.hash);
});

test('public space: deleting the newest item asks for confirmation, and removes it for everyone', async () => {
  await ada.click('#delete-last');
  await ada.locator('#delete-last.asking').waitFor();
  await hasItem(ben, 'broken.png');
  await ada.click('#delete-last');
  await hasNoItem(ada, 'broken.png');
  await hasNoItem(ben, 'broken.png');
});

test('public space: a client that connects later gets all items, oldest first', async () => {
  const cleo = await openPage('Cleo', laptop);
  await hasItem(cleo, 'evening hills.png');
  assert.deepEqual(await titles(cleo), await titles(ada));
  await cleo.context().close();
});

test('rooms: a new room is listed with the number of its members', async () => {
  await createRoom(ada, 'greenhouse', 'history', 2);
  await isIn(ada, 'greenhouse');
  await factsAre(ada, '1 of 2 here');
  await openMenu(ben);
  await openRoom(ben, 'greenhouse').waitFor();
  assert.match(await openRoom(ben, 'greenhouse').locator('.facts').textContent(), /1 of 2/);
  await shoot(ben, 'phone-dark-rooms');
  await joinRoom(ben, 'greenhouse');
  await factsAre(ada, '2 of 2 here');
  await factsAre(ben, '2 of 2 here');
});

test("rooms: a full room, an unknown one and an existing name are refused with the server's message", async () => {
  const dora = await openPage('Dora', {...laptop, colorScheme: 'dark'});
  await openRoom(dora, 'greenhouse').getByRole('button').click();
  await openRoom(dora, 'greenhouse').locator('.problem', {hasText: 'Room is full.'}).waitFor();
  await dora.fill('#join-name', 'nowhere');
  await dora.press('#join-name', 'Enter');
  await dora.locator('#join-problem', {hasText: 'Room not found.'}).waitFor();
  await createRoom(dora, 'greenhouse', 'live', 5);
  await until(async () => (await dora.textContent('#create-problem')) !== '', 'the name is refused', boundMs);
  await shoot(dora, 'laptop-dark-refused');
  assert.equal(await dora.textContent('#place-name'), 'Public space');
  await dora.context().close();
});

test('rooms: history is sent to members, is kept, and counts as unread elsewhere', async () => {
  await shareText(ada, 'Tomatoes need water.');
  await hasItem(ben, 'Tomatoes need water.');
  await hasItem(ada, 'Tomatoes need water.');
  await goTo(ben, 'Public space');
  assert.equal(await item(ben, 'Tomatoes').count(), 0);
  await shareText(ada, 'And the peppers, too.');
  await ben
    .locator('.own-place', {hasText: 'greenhouse'})
    .locator('.badge', {hasText: '1'})
    .waitFor({state: 'attached'});
  await goTo(ben, 'greenhouse');
  await hasItem(ben, 'And the peppers, too.');

  await ben.click('#leave-room');
  await isIn(ben, 'Public space');
  await factsAre(ada, '1 of 2 here');
  await joinRoom(ben, 'greenhouse');
  assert.deepEqual(await titles(ben), ['Tomatoes need water.', 'And the peppers, too.']);
});

test('rooms: singleton keeps the newest item; live relays and keeps nothing', async () => {
  await createRoom(ada, 'notice', 'singleton', 10);
  await isIn(ada, 'notice');
  await joinRoom(ben, 'notice');
  for (const text of ['first notice', 'second notice']) {
    await shareText(ben, text);
    await hasItem(ada, text);
    await hasItem(ben, text);
  }
  for (const page of [ada, ben]) assert.deepEqual(await titles(page), ['second notice']);
  const eve = await openPage('Eve', laptop, '#notice');
  await hasItem(eve, 'second notice');
  await eve.context().close();

  await createRoom(ben, 'wire', 'live', 10);
  await isIn(ben, 'wire');
  await joinRoom(ada, 'wire');
  await shareText(ada, 'now or never');
  await hasItem(ben, 'now or never');
  await hasItem(ada, 'now or never');
  assert.equal(await item(ada, 'now or never').count(), 1);
  const finn = await openPage('Finn', laptop, '#wire');
  await factsAre(finn, '3 of 10 here');
  assert.deepEqual(await titles(finn), []);
  await finn.context().close();
});

test('rooms: the creator may close a room, and its members are told', async () => {
  assert.equal(await ada.isVisible('#close-room'), false, 'only the creator has the button');
  await ben.click('#close-room');
  await ben.click('#close-room');
  for (const page of [ada, ben]) {
    await page.locator('#place-problem', {hasText: 'The room was closed.'}).waitFor();
    await page.click('#forget');
    await isIn(page, 'Public space');
    assert.equal(await page.locator('.own-place', {hasText: 'wire'}).count(), 0);
  }
});

test('files: dropped and pasted files are shared', async () => {
  for (const page of [ada, ben]) await goTo(page, 'greenhouse');
  const dropped = await transferOf(ada, 'dropped.csv', 'text/csv', 'plant,height\nfern,30\n');
  await ada.dispatchEvent('#feed', 'dragover', {dataTransfer: dropped});
  await ada.locator('#drop-hint').waitFor();
  await shoot(ada, 'laptop-light-drop');
  await ada.dispatchEvent('#feed', 'drop', {dataTransfer: dropped});
  await hasItem(ben, 'dropped.csv');
  await ada.locator('#drop-hint').waitFor({state: 'hidden'});

  const pasted = await transferOf(ben, 'pasted.png', 'image/png', await picture(ben));
  await ben.evaluate(
    (clipboardData) =>
      document
        .getElementById('text')
        .dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true})),
    pasted,
  );
  await hasItem(ada, 'pasted.png');
  await item(ada, 'pasted.png').scrollIntoViewIfNeeded();
  await isPicture(ada, 'pasted.png');
});

test('uploads: the room sees the progress; a paused upload stays where it is, and continues from there', async () => {
  const file = makeFile('harvest.mov', largeBytes);
  await beginUpload(file);
  const coming = ben.locator('#incoming .upload', {hasText: file.name});
  await coming.waitFor();
  await until(
    () => coming.locator('progress').evaluate((bar) => bar.value > 0 && bar.max === 16_000_000),
    'its progress',
  );
  assert.equal(await ada.locator('#incoming .upload').count(), 0, 'one does not see its own as that of somebody else');
  await shoot(ada, 'laptop-light-uploading');
  await shoot(ben, 'phone-dark-incoming');

  await ada.getByRole('button', {name: `Pause ${file.name}`}).click();
  await ada.locator('.upload[data-state=paused]').waitFor();
  assert.match(await upload(ada, file.name).locator('.upload-note').textContent(), /^Paused at/);
  const url = await uploadUrl(ada, file.name);
  // Bytes in transit still arrive.
  let offset = -1;
  await until(async () => offset === (offset = await offsetOf(url)), 'the offset stands still', boundMs);
  await new Promise((resolve) => setTimeout(resolve, quietMs));
  assert.equal(await offsetOf(url), offset, 'nothing goes up while it is paused');
  assert.ok(offset > 0 && offset < largeBytes, `a part is there: ${offset}`);

  await limitUploads(0);
  await ada.getByRole('button', {name: `Resume ${file.name}`}).click();
  await hasItem(ben, file.name);
  await coming.waitFor({state: 'detached'});
  assert.equal((await download(ben, file.name)).hash, file.hash);
  assert.equal(created.filter((name) => name === file.name).length, 1, 'it was created once');
});

test('uploads: a cancelled upload is removed from the server', async () => {
  const file = makeFile('mistake.zip', largeBytes);
  await beginUpload(file);
  const url = await uploadUrl(ada, file.name);
  await ada.getByRole('button', {name: `Cancel ${file.name}`}).click();
  await upload(ada, file.name).waitFor({state: 'detached'});
  assert.ok([404, 410].includes((await askTus(url)).status));
  assert.equal(await item(ada, file.name).count(), 0);
  assert.deepEqual(await ada.evaluate(() => JSON.parse(localStorage.getItem('flux.uploads'))), {});
});

test("uploads: a file that is too large is refused with the server's message", async () => {
  const file = makeFile('too large.iso', fileBytesMax + 1);
  await choose(ada, file.path);
  await ada.locator('.upload[data-state=failed]').waitFor();
  assert.match(await upload(ada, file.name).locator('.problem').textContent(), new RegExp(String(fileBytesMax)));
  await shoot(ada, 'laptop-light-too-large');
  await ada.getByRole('button', {name: `Cancel ${file.name}`}).click();
  await upload(ada, file.name).waitFor({state: 'detached'});
});

test('uploads: after a reload the same file continues where it was', async () => {
  const file = makeFile('album.tar', largeBytes);
  await beginUpload(file);
  const url = await uploadUrl(ada, file.name);
  await ada.reload();
  await isConnected(ada);
  await isIn(ada, 'greenhouse');
  await ada.locator('.upload[data-state=unfinished]', {hasText: file.name}).waitFor();
  await shoot(ada, 'laptop-light-unfinished');
  assert.ok((await offsetOf(url)) > 0);
  await limitUploads(0);
  await choose(ada, file.path);
  await hasItem(ben, file.name);
  assert.equal((await download(ben, file.name)).hash, file.hash);
  assert.equal(created.filter((name) => name === file.name).length, 1, 'it was created once');
});

test('server: killed during an upload and restarted, the upload continues and every page reconnects', async () => {
  for (const page of [ada, ben]) await goTo(page, 'Public space');
  const file = makeFile('orchard.raw', largeBytes);
  await beginUpload(file);
  const url = await uploadUrl(ada, file.name);
  isRoomLost = true;
  await server.kill();
  await ada.locator('.upload[data-state=waiting] .problem', {hasText: 'The connection was lost.'}).waitFor();
  await ada.waitForSelector('#status[data-state=waiting]');
  await shareText(ben, 'Said into the void.');
  await until(
    async () => (await ben.textContent('#composer-problem')) !== '',
    'the text is not lost silently',
    boundMs,
  );
  assert.equal(await ben.inputValue('#text'), 'Said into the void.', 'what was not shared can be shared again');
  await shoot(ada, 'laptop-light-reconnecting');
  await shoot(ben, 'phone-dark-reconnecting');

  server = await startServer(program, serverArguments(server.port));
  assert.ok((await offsetOf(url)) > 0, 'the server still has the part');
  await limitUploads(0);
  await isConnected(ada);
  await isConnected(ben);
  await hasItem(ben, file.name);
  assert.equal((await download(ben, file.name)).hash, file.hash);
  assert.equal(created.filter((name) => name === file.name).length, 1, 'it was created once');
  await ben.press('#text', 'Enter');
  await hasItem(ada, 'Said into the void.');
});

test('rooms: a room that no longer exists after a restart says so, and can be created again', async () => {
  for (const page of [ada, ben]) {
    await goTo(page, 'greenhouse');
    await page.locator('#place-problem', {hasText: 'Room not found.'}).waitFor();
  }
  await shoot(ben, 'phone-dark-room-gone');
  await ben.emulateMedia({colorScheme: 'light'});
  await shoot(ben, 'phone-light-room-gone');
  await ada.click('#recreate');
  await factsAre(ada, '1 of 2 here');
  await ben.click('#rejoin');
  await factsAre(ben, '2 of 2 here');
  await shareText(ada, 'We are back.');
  await hasItem(ben, 'We are back.');
  await shoot(ben, 'phone-light-room');
  await ada.emulateMedia({colorScheme: 'dark'});
  await shoot(ada, 'laptop-dark-room');
});

test('keyboard: a room is created, used and left without a pointer', async () => {
  const gwen = await openPage('Gwen', laptop);
  await gwen.focus('#new-room summary');
  await gwen.keyboard.press('Enter');
  await gwen.waitForSelector('#room-name:focus');
  await gwen.keyboard.type('quiet corner');
  await gwen.keyboard.press('Enter');
  await isIn(gwen, 'quiet corner');
  assert.equal(await gwen.evaluate(() => document.activeElement.id), 'place-name');
  await gwen.focus('#text');
  await gwen.keyboard.type('two lines,');
  await gwen.keyboard.press('Shift+Enter');
  await gwen.keyboard.type('one item');
  await gwen.keyboard.press('Enter');
  await hasItem(gwen, 'two lines,\none item');
  await gwen.focus('#leave-room');
  await gwen.keyboard.press('Enter');
  await isIn(gwen, 'Public space');
  await gwen.context().close();
});

test('pages: no errors in any of them', () => {
  assert.deepEqual(problems, []);
});

// The demo page in Chromium: two people on a laptop and a phone, and others who join later. Run with plain `node`.
//
// FLUX_SERVER     the server program; required
// CHROMIUM        the browser; default /usr/bin/chromium
// SCREENSHOT_DIR  the folder for the screenshots; default: a temporary folder

import assert from 'node:assert/strict';
import {mkdirSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {isStill, laptop, phone, startBrowser} from './support/browser.mjs';
import {LiveMember} from './support/live_member.mjs';
import {startServer} from './support/server_program.mjs';

const boundMs = 60_000;
const program = process.env.FLUX_SERVER;
const pageFolder = fileURLToPath(new URL('../../examples/collab', import.meta.url));
const screenshots = process.env.SCREENSHOT_DIR ?? join(tmpdir(), 'flux-collab-page');

const room = 'garden';

let server;
let browser;
let ada; // on the laptop
let ben; // on the phone
const problems = [];

const serverArguments = (port) => ['--port', String(port), '--static', pageFolder];

/** `context`: of another page, for a further tab of its browser. */
async function openPage(name, device, roomName = room, prepare = () => {}, context = null) {
  context ??= await browser.newContext({...device, locale: 'en-GB', timezoneId: 'UTC'});
  const page = await context.newPage();
  await prepare(page);
  page.setDefaultTimeout(boundMs);
  page.on('pageerror', (error) => problems.push(`${name}: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    // The browser reports a refused connection while the server restarts.
    const isExpected = message.text().includes('WebSocket connection to');
    if (message.type() === 'error' && !isExpected) problems.push(`${name}: ${message.text()}`);
  });
  await page.goto(`${server.url}#${encodeURIComponent(roomName)}`);
  return page;
}

async function enter(name, device, roomName, prepare, context) {
  const page = await openPage(name, device, roomName, prepare, context);
  await page.fill('#name', name);
  await page.click('#enter button[type=submit]');
  await isLive(page);
  return page;
}

const isLive = (page) => page.waitForSelector('#status[data-state=open]', {state: 'attached'});

/** Waits until the list contains exactly these people. */
function sees(page, ...names) {
  return page.waitForFunction((wanted) => {
    const shown = [...document.querySelectorAll('#people-list .person-name')].map((node) => node.textContent).sort();
    return JSON.stringify(shown) === wanted;
  }, JSON.stringify(names.sort()));
}

/** Converts the point (x, y) of the board, 0 to 1 each way, to the page's pixels. */
async function onBoard(page, x, y) {
  const box = await page.locator('#canvas').boundingBox();
  return [box.x + x * box.width, box.y + y * box.height];
}

async function draw(page, points) {
  await page.mouse.move(...(await onBoard(page, ...points[0])));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...(await onBoard(page, ...point)), {steps: 6});
  await page.mouse.up();
}

/** Waits until the board is painted, or not painted, at (x, y). */
function isPainted(page, x, y, wanted = true) {
  return page.waitForFunction(
    ([px, py, isWanted]) => {
      const canvas = document.getElementById('canvas');
      const size = 5;
      const {data} = canvas.getContext('2d').getImageData(px * canvas.width - 2, py * canvas.height - 2, size, size);
      return data.some((value, index) => index % 4 === 3 && value > 100) === isWanted;
    },
    [x, y, wanted],
  );
}

async function say(page, text) {
  await page.fill('#message', text);
  await page.press('#message', 'Enter');
}

const message = (page, text, kind = '') =>
  page.locator(`.message${kind}`).filter({has: page.locator('.text', {hasText: text})});
const hasMessage = (page, text, kind) => message(page, text, kind).first().waitFor({state: 'attached'});
const countMessages = (page) => page.locator('.message').count();

/** Raises or lowers the sheet with the conversation on a phone; focusing the input raises it. */
async function setSheet(page, isTall) {
  if ((await page.getAttribute('#sheet', 'aria-expanded')) !== String(isTall)) await page.click('#sheet');
  await isStill(page);
}

const shoot = (page, name) => page.screenshot({path: join(screenshots, `${name}.png`)});

/** Waits until `condition()` is true; it may be asynchronous. */
async function until(condition, what) {
  const end = Date.now() + boundMs;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

before(async () => {
  assert.ok(program, 'FLUX_SERVER names the server program');
  mkdirSync(screenshots, {recursive: true});
  server = await startServer(program, serverArguments(0));
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  console.log(`# screenshots: ${screenshots}`);
});

test('lobby: the first view, on a laptop and on a phone', async () => {
  for (const [name, device] of Object.entries({laptop, phone})) {
    const page = await openPage(name, device);
    assert.equal(await page.inputValue('#room'), room, 'the room comes from the address');
    assert.notEqual(await page.inputValue('#name'), '', 'a name is suggested');
    await isStill(page);
    await shoot(page, `lobby-${name}`);
    await page.context().close();
  }
});

test('presence: two people who enter a room see each other, and which one is themselves', async () => {
  ada = await enter('Ada Lindgren', laptop);
  ben = await enter('Ben', phone);
  await sees(ada, 'Ada Lindgren', 'Ben');
  await sees(ben, 'Ada Lindgren', 'Ben');
  assert.equal(await ada.locator('#people-list .own .person-name').textContent(), 'Ada Lindgren');
  assert.equal(await ben.locator('#people-list .own .person-name').textContent(), 'Ben');
});

test('cursors: a moving pointer appears at the same place on the other board, until it leaves', async () => {
  await ada.mouse.move(...(await onBoard(ada, 0.2, 0.2)));
  await ada.mouse.move(...(await onBoard(ada, 0.7, 0.4)), {steps: 5});
  const cursor = ben.locator('.cursor');
  await cursor.waitFor();
  assert.equal((await cursor.textContent()).trim(), 'Ada Lindgren');
  const [x, y] = await onBoard(ben, 0.7, 0.4);
  await until(async () => {
    const box = await cursor.boundingBox();
    return box && Math.hypot(box.x - x, box.y - y) < 2;
  }, 'the cursor is at the same place of the board');
  await ada.mouse.move(2, 2);
  await cursor.waitFor({state: 'detached'});
});

test('board: a stroke drawn on one screen appears on the other', async () => {
  await isPainted(ben, 0.5, 0.5, false);
  await draw(ada, [
    [0.2, 0.3],
    [0.5, 0.5],
    [0.8, 0.3],
  ]);
  await isPainted(ada, 0.2, 0.3);
  await isPainted(ben, 0.2, 0.3);
  await isPainted(ben, 0.8, 0.3);

  await ben.check('input[name=pen][value=coral]', {force: true});
  await draw(ben, [
    [0.3, 0.75],
    [0.7, 0.75],
  ]);
  await isPainted(ada, 0.5, 0.75);
});

test('board: a finger draws', async () => {
  const touch = await ben.context().newCDPSession(ben);
  const send = async (type, points) =>
    touch.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: points.map(([x, y]) => ({x, y})),
    });
  await send('touchStart', [await onBoard(ben, 0.1, 0.9)]);
  for (const x of [0.13, 0.16, 0.2, 0.25]) await send('touchMove', [await onBoard(ben, x, 0.9)]);
  await send('touchEnd', []);
  await isPainted(ada, 0.15, 0.9);
});

test('board: the eraser removes strokes on both screens', async () => {
  await draw(ada, [
    [0.05, 0.1],
    [0.25, 0.1],
  ]);
  await isPainted(ben, 0.15, 0.1);
  await ada.check('input[name=pen][value=eraser]', {force: true});
  await draw(ada, [
    [0.05, 0.1],
    [0.25, 0.1],
  ]);
  await isPainted(ada, 0.15, 0.1, false);
  await isPainted(ben, 0.15, 0.1, false);
  await ada.check('input[name=pen][value=teal]', {force: true});
});

test('chat: messages are exchanged in both directions, and HTML is shown as text', async () => {
  await say(ada, 'Shall we plant the roses by the wall?');
  await hasMessage(ben, 'Shall we plant the roses by the wall?');
  await hasMessage(ada, 'Shall we plant the roses by the wall?', '.own[data-state=sent]');
  const markup = '<img src=x onerror="document.title=\'owned\'"><b>bold</b> & more';
  await say(ben, markup);
  await hasMessage(ada, markup);
  assert.equal(await message(ada, markup).locator('.text').textContent(), markup);
  assert.equal(await ada.locator('#messages img, #messages b').count(), 0);
  assert.match(await ada.title(), /^garden · flux$/);
  assert.equal(await message(ada, markup).locator('.author').textContent(), 'Ben');
  assert.equal(await message(ada, markup, '.own').count(), 0);
});

test('late joiner: gets the drawing, the chat history and the members', async () => {
  const cleo = await enter('Cleo', {...laptop, colorScheme: 'dark'});
  await sees(cleo, 'Ada Lindgren', 'Ben', 'Cleo');
  await isPainted(cleo, 0.2, 0.3);
  await isPainted(cleo, 0.5, 0.75);
  await isPainted(cleo, 0.15, 0.9);
  await isPainted(cleo, 0.15, 0.1, false);
  await hasMessage(cleo, 'Shall we plant the roses by the wall?');
  await ada.mouse.move(...(await onBoard(ada, 0.62, 0.6)));
  await cleo.mouse.move(...(await onBoard(cleo, 0.35, 0.45)));
  await cleo.locator('.cursor', {hasText: 'Ada'}).waitFor();
  await ben.locator('.cursor', {hasText: 'Cleo'}).waitFor();
  await say(cleo, 'Yes, and a bench in front of them.');
  await hasMessage(ada, 'Yes, and a bench in front of them.');
  await hasMessage(ben, 'Yes, and a bench in front of them.');
  await shoot(ada, 'room-laptop-light');
  await shoot(cleo, 'room-laptop-dark');
  await setSheet(ben, true);
  await shoot(ben, 'room-phone-dark-sheet');
  await setSheet(ben, false);
  await shoot(ben, 'room-phone-dark');
  await ben.emulateMedia({colorScheme: 'light'});
  await shoot(ben, 'room-phone-light');
  await ben.emulateMedia({colorScheme: 'dark'});

  await cleo.click('#leave');
  await sees(ada, 'Ada Lindgren', 'Ben');
  await sees(ben, 'Ada Lindgren', 'Ben');
  await ada.locator('.cursor', {hasText: 'Cleo'}).waitFor({state: 'detached'});
  await cleo.context().close();
});

test('drawing: parts that arrive out of order and twice give the same drawing, which stays bounded', async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`# seed ${seed}`);
  const {same, points, strokes} = await ada.evaluate(async (start) => {
    const {Drawing, partOf, pointsPerStroke} = await import('./drawing.js');
    let state = start;
    const random = (below) => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return Math.floor((state / 2147483648) * below);
    };
    const shuffled = (list) =>
      list
        .map((item) => [random(1e9), item])
        .sort(([a], [b]) => a - b)
        .map(([, item]) => item);
    const source = new Drawing();
    const events = [];
    for (let number = 0; number < 40; number++) {
      const stroke = source.begin({color: 'teal', width: 20, tool: number % 5 ? 'pen' : 'eraser'});
      const count = 2 + random(60);
      for (let point = 0; point < count; point++) source.append(stroke, random(4000), random(3000), 50);
      stroke.done = true;
      const middle = random(count);
      events.push({part: partOf(stroke, 0, middle)}, {part: partOf(stroke, middle)});
      if (number === 20) events.push({at: source.clear()});
    }
    const replay = (list) => {
      const copy = new Drawing();
      for (const {part, at} of list) at ? copy.applyClear(at) : copy.merge(part);
      return JSON.stringify([copy.clearedAt, copy.snapshot()]);
    };
    const expected = JSON.stringify([source.clearedAt, source.snapshot()]);
    const runs = Array.from({length: 50}, () => replay(shuffled([...events, ...events])));

    const large = new Drawing();
    for (let number = 0; number < 60; number++) {
      const stroke = large.begin({color: 'ink', width: 8, tool: 'pen'});
      for (let point = 0; point < pointsPerStroke; point++) large.append(stroke, point, number, 50);
    }
    return {
      same: runs.every((text) => text === expected),
      points: large.strokes.reduce((sum, stroke) => sum + stroke.points.length / 3, 0),
      strokes: source.strokes.length,
    };
  }, seed);
  assert.equal(strokes, 19);
  assert.ok(same, 'every order gives the same');
  assert.ok(points <= 30_000, `${points} points are kept`);
});

test('presence: a closed page disappears from the others', async () => {
  const dora = await enter('Dora', laptop);
  await sees(ada, 'Ada Lindgren', 'Ben', 'Dora');
  await dora.context().close();
  await sees(ada, 'Ada Lindgren', 'Ben');
});

test('presence: two tabs of one user are one person, who leaves with the last of them', async () => {
  const bot = await LiveMember.join(server.url, room, {name: 'Gardener'});
  const hasLeft = (id) =>
    until(() => bot.frames.some(({payload}) => payload?.left?.includes(id)), 'the room is told of the closed tab');
  /** Until the page has taken all that the room was told before. */
  const catchUp = async (text) => {
    await bot.request('send_chat', {message: text});
    await hasMessage(ada, text);
  };
  const shownAs = (name) => ada.locator('.person', {hasText: name}).getAttribute('data-connection-id');
  const swatch = (page, name) => page.locator('.person', {hasText: name}).locator('.avatar').getAttribute('data-color');
  const first = await enter('Gwen', laptop);
  await sees(ada, 'Ada Lindgren', 'Ben', 'Gardener', 'Gwen');
  const firstId = await shownAs('Gwen');
  const second = await enter('Gwen', laptop, room, undefined, first.context());
  const other = await enter('Hugo', laptop, room, undefined, first.context());
  for (const page of [ada, first, second, other]) await sees(page, 'Ada Lindgren', 'Ben', 'Gardener', 'Gwen', 'Hugo');
  assert.equal(await ada.textContent('#people-count'), '5');
  assert.equal(await second.locator('#people-list .own .person-name').textContent(), 'Gwen');
  assert.equal(await swatch(second, 'Gwen'), await swatch(first, 'Gwen'));
  await second.mouse.move(...(await onBoard(second, 0.5, 0.6)));
  await second.mouse.move(...(await onBoard(second, 0.6, 0.6)));
  await first.locator('.cursor', {hasText: 'Gwen'}).waitFor();

  await first.close();
  await hasLeft(firstId);
  await catchUp('One tab is closed.');
  await sees(ada, 'Ada Lindgren', 'Ben', 'Gardener', 'Gwen', 'Hugo');
  const secondId = await shownAs('Gwen');
  assert.notEqual(secondId, firstId);
  await second.close();
  await hasLeft(secondId);
  await sees(ada, 'Ada Lindgren', 'Ben', 'Gardener', 'Hugo');
  await other.context().close();
  await bot.close();
  await sees(ada, 'Ada Lindgren', 'Ben');
});

test('board: clearing asks for confirmation, and clears the board everywhere', async () => {
  await ada.click('#clear');
  await isPainted(ben, 0.5, 0.75);
  await ada.click('#clear');
  await isPainted(ada, 0.5, 0.75, false);
  await isPainted(ben, 0.5, 0.75, false);
  await draw(ben, [
    [0.4, 0.2],
    [0.6, 0.2],
  ]);
  await isPainted(ada, 0.5, 0.2);
});

test('chat: the message of another client is shown with the name in its presence', async () => {
  const bot = await LiveMember.join(server.url, room, {name: 'Gardener'});
  await sees(ada, 'Ada Lindgren', 'Ben', 'Gardener');
  await bot.request('send_chat', {message: 'It rains.'});
  await hasMessage(ada, 'It rains.');
  assert.equal(await message(ada, 'It rains.').locator('.author').textContent(), 'Gardener');
  bot.close();
  await sees(ada, 'Ada Lindgren', 'Ben');
});

test('chat: what another client edits or deletes changes on the page, also for who comes later', async () => {
  const bot = await LiveMember.join(server.url, room, {name: 'Gardener'});
  const {offset} = await bot.request('send_chat', {message: 'It hails.'});
  const {offset: second} = await bot.request('send_chat', {message: 'And storms.'});
  await hasMessage(ada, 'And storms.');
  await bot.request('edit_chat', {offset, message: 'It snows.'});
  await bot.request('delete_chat', {offset: second});
  for (const page of [ada, await enter('Fay', laptop)]) {
    await hasMessage(page, 'It snows.');
    assert.equal(await message(page, 'It snows.').locator('.edited').textContent(), 'edited');
    await hasMessage(page, 'This message was deleted.');
    assert.equal(await message(page, 'And storms.').count(), 0);
    if (page !== ada) await page.context().close();
  }
  bot.close();
  await sees(ada, 'Ada Lindgren', 'Ben');
});

test('history: more than one page can be read by scrolling back, each message once and in order', async () => {
  const count = 230;
  const writer = await LiveMember.join(server.url, 'archive', {name: 'Writer'});
  for (let number = 1; number <= count; number++) await writer.request('send_chat', {message: `message ${number}`});
  const reader = await enter('Reader', laptop, 'archive');
  await hasMessage(reader, `message ${count}`);
  const atFirst = await countMessages(reader);
  assert.ok(atFirst < count, 'the history of the join is one page');
  await until(async () => {
    await reader.evaluate(() => (document.getElementById('log').scrollTop = 0));
    return (await countMessages(reader)) === count;
  }, 'all messages are loaded');
  await reader.locator('#note', {hasText: 'This is where the conversation starts.'}).waitFor();
  const texts = await reader.locator('.message .text').allTextContents();
  assert.deepEqual(
    texts,
    Array.from({length: count}, (_, index) => `message ${index + 1}`),
  );
  writer.close();
  await reader.context().close();
});

test('reconnect: after a restart of the server both pages reconnect by themselves, without duplicates', async () => {
  const texts = () => ada.locator('.message .text').allTextContents();
  const before = await texts();
  await server.stop();
  await ada.waitForSelector('#status[data-state=waiting]');
  await ben.waitForSelector('#status:not([data-state=open])');
  await say(ada, 'Written while the server was away.');
  await hasMessage(ada, 'Written while the server was away.', '.own[data-state=sending]');
  await draw(ada, [
    [0.1, 0.55],
    [0.3, 0.55],
  ]);
  await shoot(ada, 'reconnecting-laptop');
  await shoot(ben, 'reconnecting-phone');

  server = await startServer(program, serverArguments(server.port));
  await isLive(ada);
  await isLive(ben);
  await sees(ada, 'Ada Lindgren', 'Ben');
  await sees(ben, 'Ada Lindgren', 'Ben');
  await hasMessage(ben, 'Written while the server was away.');
  await hasMessage(ada, 'Written while the server was away.', '.own[data-state=sent]');
  await isPainted(ben, 0.2, 0.55);
  await isPainted(ada, 0.5, 0.2);
  await say(ben, 'Welcome back.');
  await hasMessage(ada, 'Welcome back.');
  assert.deepEqual(await texts(), [...before, 'Written while the server was away.', 'Welcome back.']);
});

test('reload: a page that was in a room rejoins it under its name', async () => {
  await ben.reload();
  await isLive(ben);
  await sees(ben, 'Ada Lindgren', 'Ben');
  await sees(ada, 'Ada Lindgren', 'Ben');
  await isPainted(ben, 0.2, 0.55);
  await hasMessage(ben, 'Welcome back.', '.own');
});

test('chat: a message that the server refuses is marked, and can be sent again', async () => {
  let isRefusing = true;
  const eve = await enter('Eve', laptop, 'refusals', (page) =>
    page.routeWebSocket('**/live', (socket) => {
      const upstream = socket.connectToServer();
      socket.onMessage((text) => {
        const {type, id} = JSON.parse(text);
        if (type !== 'send_chat' || !isRefusing) return upstream.send(text);
        socket.send(
          JSON.stringify({type: 'error', id, payload: {code: 'SERVER_ERROR', message: 'The store is full.'}}),
        );
      });
    }),
  );
  await say(eve, 'Once more, please.');
  await hasMessage(eve, 'Once more, please.', '.own[data-state=failed]');
  assert.match(await message(eve, 'Once more, please.').locator('.fate').textContent(), /The store is full\./);
  await shoot(eve, 'chat-refused');
  isRefusing = false;
  await eve.click('.message .retry');
  await hasMessage(eve, 'Once more, please.', '.own[data-state=sent]');
  assert.equal(await countMessages(eve), 1);
  await eve.context().close();
});

test('chat: a message whose confirmation is lost with the connection is shown once', async () => {
  let isLosing = true;
  const faye = await enter('Faye', laptop, 'losses', (page) =>
    page.routeWebSocket('**/live', (socket) => {
      const upstream = socket.connectToServer();
      upstream.onMessage((text) => {
        const isOwnChat = JSON.parse(text).type === 'chat_message';
        if (!isOwnChat || !isLosing) return socket.send(text);
        isLosing = false;
        socket.close({code: 1011, reason: 'lost'});
        upstream.close();
      });
    }),
  );
  await say(faye, 'Am I one or two?');
  await hasMessage(faye, 'Am I one or two?', '.own[data-state=sent]');
  await say(faye, 'One.');
  await hasMessage(faye, 'One.', '.own[data-state=sent]');
  assert.deepEqual(await faye.locator('.message .text').allTextContents(), ['Am I one or two?', 'One.']);
  await faye.context().close();
});

test('chat: a message that was stored twice, because its first confirmation was lost, is shown once', async () => {
  let isSilent = true;
  let chatId;
  const withheld = new Set();
  let allWithheld;
  const wasWithheld = new Promise((resolve) => (allWithheld = resolve));
  const hana = await enter('Hana', laptop, 'doubles', (page) =>
    page.routeWebSocket('**/live', (socket) => {
      const upstream = socket.connectToServer();
      socket.onMessage((text) => {
        const {type, id} = JSON.parse(text);
        upstream.send(text);
        if (type === 'send_chat' && isSilent) {
          chatId = id;
          socket.send(JSON.stringify({type: 'error', id, payload: {code: 'SERVER_ERROR', message: 'Who knows.'}}));
        }
      });
      upstream.onMessage((text) => {
        const {type, id} = JSON.parse(text);
        const isAboutChat = ['chat_message', 'ack'].includes(type);
        if (!isAboutChat || !isSilent) return socket.send(text);
        if (type === 'chat_message' || id === chatId) withheld.add(type);
        if (withheld.size === 2) allWithheld();
      });
    }),
  );
  await say(hana, 'Twice stored.');
  await hasMessage(hana, 'Twice stored.', '.own[data-state=failed]');
  await wasWithheld;
  isSilent = false;
  await hana.click('.message .retry');
  await hasMessage(hana, 'Twice stored.', '.own[data-state=sent]');
  await hana.reload();
  await isLive(hana);
  await hasMessage(hana, 'Twice stored.', '.own[data-state=sent]');
  const witness = await LiveMember.join(server.url, 'doubles', {name: 'Witness'});
  const {messages} = await witness.request('get_history', {});
  witness.close();
  assert.equal(messages.length, 2, 'the server has it twice');
  assert.equal(await countMessages(hana), 1, 'the page shows it once');
  await hana.context().close();
});

test('history: messages missed during a long absence are fetched without gaps', async () => {
  const texts = (from, to) => Array.from({length: to - from + 1}, (_, index) => `note ${from + index}`);
  const writer = await LiveMember.join(server.url, 'absence', {name: 'Writer'});
  const write = async (from, to) => {
    for (const message of texts(from, to)) await writer.request('send_chat', {message});
  };
  await write(1, 5);
  let isAway = false;
  let cut;
  const gina = await enter('Gina', laptop, 'absence', (page) =>
    page.routeWebSocket('**/live', (socket) => {
      if (isAway) return void socket.close({code: 1011, reason: 'away'});
      const upstream = socket.connectToServer();
      cut = () => Promise.all([socket.close({code: 1011, reason: 'away'}), upstream.close()]);
    }),
  );
  await hasMessage(gina, 'note 5');
  isAway = true;
  await cut();
  await gina.waitForSelector('#status[data-state=waiting]');
  await write(6, 230);
  isAway = false;
  await gina.evaluate(() => dispatchEvent(new Event('online')));
  await isLive(gina);
  await until(async () => (await countMessages(gina)) === 230, 'all messages are there');
  assert.deepEqual(await gina.locator('.message .text').allTextContents(), texts(1, 230));
  writer.close();
  await gina.context().close();
});

for (const code of [4401, 1008]) test(`refusal: after close code ${code} the page says so and does not reconnect`, async () => {
  let connections = 0;
  const page = await openPage('refused', laptop, room, (newPage) =>
    newPage.routeWebSocket('**/live', (socket) => {
      connections++;
      socket.close({code, reason: 'Please sign in.'});
    }),
  );
  await page.click('#enter button[type=submit]');
  await page.locator('#status[data-state=refused]', {hasText: 'Please sign in.'}).waitFor();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  assert.equal(connections, 1);
  assert.equal(await page.locator('#retry').isVisible(), false);
  await page.context().close();
});

test('pages: no error in any console', () => {
  assert.deepEqual(problems, []);
});

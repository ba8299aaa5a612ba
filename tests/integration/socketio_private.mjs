// The private-messaging example: as socket.io-client sees it, and its page in Chromium. Run with plain `node`.
//
// FLUX_PRIVATE_SERVER  examples/socketio_private, built; required
// CHROMIUM             the browser; default /usr/bin/chromium
// SCREENSHOT_DIR       the folder for the screenshots; default: a temporary folder

import assert from 'node:assert/strict';
import {mkdirSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, before, describe, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {isStill, laptop, phone, startBrowser} from './support/browser.mjs';
import {load, pathIn} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const {io} = load('socket.io-client');
const pageFolder = fileURLToPath(new URL('../../examples/socketio_private/page', import.meta.url));
const bundle = pathIn('socket.io-client', 'dist/socket.io.min.js');
const screenshots = process.env.SCREENSHOT_DIR ?? join(tmpdir(), 'flux-socketio-private');
const serverEvents = ['session', 'users', 'user connected', 'user disconnected', 'private message'];

let server;
const tabs = [];

before(async () => {
  server = await startServer(process.env.FLUX_PRIVATE_SERVER, [pageFolder, bundle, '0']);
});
after(() => server.stop());

/** A tab: its socket, and `seen`, the events in the order received, each `[name, argument]`. */
function open(auth, options = {}) {
  const socket = io(server.url, {forceNew: true, transports: ['websocket'], auth, ...options});
  const tab = {socket, seen: []};
  for (const name of serverEvents) socket.on(name, (argument) => tab.seen.push([name, argument]));
  tab.all = (name) => tab.seen.filter(([each]) => each === name).map(([, argument]) => argument);
  tab.newest = (name) => tab.all(name).at(-1);
  tab.has = (name, isIt = () => true) => until(() => tab.all(name).find(isIt), name);
  tabs.push(tab);
  return tab;
}

/** A tab that has received its session and the users. */
async function enter(auth, options) {
  const tab = open(auth, options);
  await tab.has('users');
  const {sessionID, userID} = tab.newest('session');
  return Object.assign(tab, {sessionID, userID});
}

const leave = ({socket}) => socket.disconnect();
const say = ({socket}, to, content) => within(socket.timeout(5_000).emitWithAck('private message', {to, content}), 'ack');
const inList = (tab, userID) => tab.newest('users').find((user) => user.userID === userID);

describe('users and sessions', () => {
  afterEach(() => tabs.splice(0).forEach(leave));

  test('without a name or a known session: connect_error "invalid username"', async () => {
    for (const auth of [{}, {username: ''}, {sessionID: 'guessed'}, {username: 7}, {username: 'x'.repeat(81)}]) {
      const {socket} = open(auth);
      const {message} = await within(new Promise((resolve) => socket.once('connect_error', resolve)), 'connect_error');
      assert.equal(message, 'invalid username');
    }
  });

  test('enter: a session of one’s own, the list of users, and the others hear of it', async () => {
    const ada = await enter({username: 'Ada'});
    const ben = await enter({username: 'Ben'});
    assert.notEqual(ada.sessionID, ben.sessionID);
    assert.match(ben.sessionID, /^[\w-]{22}$/);
    const {username, connected, messages} = inList(ben, ada.userID);
    assert.deepEqual({username, connected, messages}, {username: 'Ada', connected: true, messages: []});
    const heard = await ada.has('user connected', ({userID}) => userID === ben.userID);
    assert.deepEqual(heard, {userID: ben.userID, username: 'Ben', connected: true, messages: []});
    assert.ok(!JSON.stringify(ada.seen).includes(ben.sessionID), 'session ids are secret');
  });

  test('reconnect with the session id: the same user, who is told what was said', async () => {
    const ada = await enter({username: 'Ada'});
    const ben = await enter({username: 'Ben'});
    leave(ben);
    assert.equal(await ada.has('user disconnected', (id) => id === ben.userID), ben.userID);
    assert.deepEqual(await say(ada, ben.userID, 'Are you there?'), {});

    const again = await enter({sessionID: ben.sessionID});
    assert.deepEqual([again.userID, again.sessionID], [ben.userID, ben.sessionID]);
    assert.equal(inList(again, ben.userID).username, 'Ben');
    assert.deepEqual(inList(again, ada.userID).messages, [
      {from: ada.userID, to: ben.userID, content: 'Are you there?'},
    ]);
    await until(() => ada.all('user connected').filter(({userID}) => userID === ben.userID).length === 2, 'Ben is back');
    const cleo = await enter({username: 'Cleo'});
    assert.deepEqual(inList(cleo, ada.userID).messages, [], 'others are not told');
  });

  test('a connection that breaks: socket.io-client comes back by itself as the same user', async () => {
    const ben = await enter({username: 'Ben'}, {reconnectionDelay: 20});
    ben.socket.auth = {sessionID: ben.sessionID};
    ben.socket.io.engine.close();
    await until(() => ben.all('session').length === 2, 'the second session event');
    assert.equal(ben.newest('session').userID, ben.userID);
  });

  test('two tabs are one user: one notice when the first opens, one when the last closes', async () => {
    const ada = await enter({username: 'Ada'});
    const ben = await enter({username: 'Ben'});
    const tab = await enter({sessionID: ben.sessionID});
    assert.equal(tab.newest('users').filter(({username, connected}) => username === 'Ben' && connected).length, 1);
    leave(ben);
    assert.deepEqual(await say(tab, ada.userID, 'Still here.'), {});
    await ada.has('private message', ({content}) => content === 'Still here.');
    leave(tab);
    await ada.has('user disconnected', (id) => id === ben.userID);
    const cleo = await enter({username: 'Cleo'});
    assert.equal(inList(cleo, ben.userID).connected, false);
    await ada.has('user connected', ({userID}) => userID === cleo.userID);
    assert.equal(ada.all('user connected').filter(({userID}) => userID === ben.userID).length, 1);
    assert.equal(ada.all('user disconnected').filter((id) => id === ben.userID).length, 1);
  });
});

describe('private messages', () => {
  afterEach(() => tabs.splice(0).forEach(leave));

  test('reach every tab of both users but the sending one, and nobody else', async () => {
    const ada = await enter({username: 'Ada'});
    const adaTwice = await enter({sessionID: ada.sessionID});
    const ben = await enter({username: 'Ben'});
    const benTwice = await enter({sessionID: ben.sessionID});
    const cleo = await enter({username: 'Cleo'});
    assert.deepEqual(await say(ada, ben.userID, 'Only for you'), {});
    const message = {from: ada.userID, to: ben.userID, content: 'Only for you'};
    for (const tab of [adaTwice, ben, benTwice]) assert.deepEqual(await tab.has('private message'), message);
    assert.deepEqual(await say(cleo, cleo.userID, 'A note to myself'), {});
    assert.deepEqual(cleo.all('private message'), []);
    assert.deepEqual(ada.all('private message'), []);
  });

  test('that are empty, too long, or to something else than a user are refused', async () => {
    const ada = await enter({username: 'Ada'});
    const ben = await enter({username: 'Ben'});
    assert.deepEqual(await say(ada, ben.userID, ''), {error: 'say something'});
    assert.deepEqual(await say(ada, ben.userID, 'x'.repeat(501)), {error: 'a message has at most 500 bytes'});
    for (const to of [ben.socket.id, 'nobody', null, {}]) {
      assert.deepEqual(await say(ada, to, 'psst'), {error: 'there is no such user'});
    }
    assert.deepEqual(await say(ada, ben.userID, 'the only one'), {});
    await ben.has('private message');
    assert.deepEqual(ben.all('private message').map(({content}) => content), ['the only one']);
  });
});

describe('the page', () => {
  const problems = [];
  let browser;
  before(async () => {
    mkdirSync(screenshots, {recursive: true});
    browser = await startBrowser();
  });
  after(() => browser.close());

  async function openPage(name, device) {
    const context = await browser.newContext(device);
    const page = await context.newPage();
    page.on('pageerror', (error) => problems.push(`${name}: ${error.stack}`));
    page.on('console', (line) => line.type() === 'error' && problems.push(`${name}: ${line.text()}`));
    await page.goto(server.url);
    await page.fill('#username', name);
    await page.press('#username', 'Enter');
    await page.locator('#self', {hasText: name}).waitFor();
    return page;
  }
  const user = (page, name) => page.locator('#users button', {hasText: name});
  const write = async (page, text) => {
    await page.fill('#content', text);
    await page.press('#content', 'Enter');
  };
  const hasMessage = (page, text) => page.locator('#messages li', {hasText: text}).waitFor();
  const shoot = async (page, name) => {
    await isStill(page);
    await page.screenshot({path: join(screenshots, `private-${name}.png`)});
  };

  test('two users talk; what was not seen is marked, and a reload keeps the user', async () => {
    const dora = await openPage('Dora', laptop);
    const emil = await openPage('Emil', phone);
    await user(dora, 'Emil').click();
    await write(dora, 'Shall we meet at the harbour?');
    await write(dora, 'I bring the bread.');
    await user(emil, 'Dora').locator('.unread', {hasText: '2'}).waitFor();
    await emil.waitForFunction(() => document.title === '(2) Private messages');
    await shoot(emil, 'phone-unread');
    await user(emil, 'Dora').click();
    await hasMessage(emil, 'I bring the bread.');
    await emil.waitForFunction(() => document.title === 'Private messages');
    await write(emil, 'And I the cheese.');
    await hasMessage(dora, 'And I the cheese.');
    await shoot(dora, 'laptop');
    await shoot(emil, 'phone');

    await emil.reload();
    await emil.locator('#self', {hasText: 'Emil'}).waitFor();
    await user(emil, 'Dora').click();
    await hasMessage(emil, 'And I the cheese.');
    await emil.context().close();
    await user(dora, 'Emil').locator('.sr-only', {hasText: 'offline'}).waitFor({state: 'attached'});
    await dora.context().close();
    assert.deepEqual(problems, []);
  });
});

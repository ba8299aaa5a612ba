// The chat with tokens in Chromium: members whose access ends, is renewed, and is revoked. Run with plain `node`.
//
// FLUX_TOKENS_SERVER  examples/chat_with_tokens, built; required
// CHROMIUM            the browser; default /usr/bin/chromium
// SCREENSHOT_DIR      the folder for the screenshots; default: a temporary folder

import assert from 'node:assert/strict';
import {mkdirSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {isStill, laptop, phone, startBrowser} from './support/browser.mjs';
import {LiveMember} from './support/live_member.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const boundMs = 60_000;
const examples = fileURLToPath(new URL('../../examples', import.meta.url));
const screenshots = process.env.SCREENSHOT_DIR ?? join(tmpdir(), 'flux-tokens-page');
const tokenSeconds = 9; // renewed within the last third

let server;
let moderatorLink;
let browser;
let moderator; // on a laptop
let ada; // on a phone
const problems = [];

before(async () => {
  mkdirSync(screenshots, {recursive: true});
  browser = await startBrowser();
  server = await startServer(process.env.FLUX_TOKENS_SERVER, [examples, '0', String(tokenSeconds)]);
  const line = await until(() => server.output.find((each) => each.includes('#moderator=')), 'the moderator’s link');
  moderatorLink = line.slice(line.indexOf('http'));
});
after(async () => {
  await browser.close();
  await server.stop();
});

async function openPage(name, device, url = server.url) {
  const context = await browser.newContext({...device, locale: 'en-GB', timezoneId: 'UTC'});
  const page = await context.newPage();
  page.setDefaultTimeout(boundMs);
  page.connections = 0;
  page.on('websocket', () => page.connections++);
  page.on('pageerror', (error) => problems.push(`${name}: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    const isExpected = /status of 40[13]|WebSocket connection to/.test(message.text());
    if (message.type() === 'error' && !isExpected) problems.push(`${name}: ${message.text()}`);
  });
  await page.goto(url);
  return page;
}

async function logIn(page, name) {
  await page.fill('#name', name);
  await page.press('#name', 'Enter');
}

const isIn = (page) => page.waitForSelector('#status[data-state=open]', {state: 'attached'});
const reads = (page, selector, text) => page.locator(selector, {hasText: text}).first().waitFor();
const row = (page, name) => page.locator('.member', {hasText: name});
const names = (page) => page.locator('.member-name').allTextContents();
const steps = (page, text) => page.locator('.step', {hasText: text}).count();

async function say(page, text) {
  await page.fill('#message', text);
  await page.press('#message', 'Enter');
}

async function shoot(page, name) {
  await isStill(page);
  await page.screenshot({path: join(screenshots, `tokens-${name}.png`)});
}

/** A login without a page: `post(path, body)` resolves with status and body. */
async function loginOf(name) {
  let cookie = '';
  const post = async (path, body) => {
    const answer = await fetch(new URL(path, server.url), {method: 'POST', headers: {cookie}, body: JSON.stringify(body)});
    cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? cookie;
    const text = await answer.text();
    return {status: answer.status, text, headers: answer.headers, ...(answer.status === 200 ? JSON.parse(text) : {})};
  };
  return {post, ...(await post('login', {name}))};
}

const bearer = (token) => ({headers: {authorization: `Bearer ${token}`}});

test('log in: the moderator by the link, and nobody by a wrong one', async () => {
  moderator = await openPage('Moderator', laptop, moderatorLink);
  await shoot(moderator, 'entrance-laptop');
  await moderator.click('#go');
  await isIn(moderator);
  await reads(moderator, '.permission', 'moderate:chat');

  const mallory = await openPage('Mallory', laptop, `${server.url}#moderator=guessed`);
  await logIn(mallory, 'Mallory');
  await reads(mallory, '#notice', 'This is not the link of the moderator.');
  await mallory.context().close();
});

test('chat: members see each other, and messages have their senders’ names', async () => {
  ada = await openPage('Ada', phone);
  await logIn(ada, 'Ada');
  await isIn(ada);
  await row(moderator, 'Ada').waitFor();
  await say(ada, 'Hello from Ada.');
  await reads(moderator, '.message .text', 'Hello from Ada.');
  assert.deepEqual(await moderator.locator('.message .author').allTextContents(), ['Ada']);
  assert.equal(await row(ada, 'Moderator').getByRole('button').count(), 0, 'only moderators can remove');
  assert.equal(await row(moderator, 'Moderator').getByRole('button').count(), 0, 'nobody removes themselves');
});

test('renewal: the next token is shown before the first ends, on the same connection', async () => {
  await until(async () => (await steps(ada, 'New token, same connection')) >= 2, 'two more tokens', boundMs);
  assert.equal(ada.connections, 1);
  assert.ok((await steps(ada, 'The server announces the end')) > 0);
  await say(ada, 'Still here.');
  await reads(moderator, '.message .text', 'Still here.');
  await shoot(moderator, 'chat-laptop');
  await shoot(ada, 'chat-phone');
});

test('no renewal: the server closes at the end of the token, and the login gets another one', async () => {
  await ada.uncheck('#automatic');
  await until(async () => (await steps(ada, 'Closed by the server')) > 0, 'the end of the token', boundMs);
  await reads(ada, '.step', 'New token, new connection');
  await isIn(ada);
  assert.equal(ada.connections, 2);
  await ada.check('#automatic');
});

test('reload: the cookie is enough, and scripts can’t read it', async () => {
  await ada.reload();
  await isIn(ada);
  await reads(ada, '.step', 'Logged in before');
  await reads(ada, '.message .text', 'Still here.');
  assert.equal(await ada.evaluate(() => document.cookie), '');
});

test('tokens: without a good one nobody connects', async () => {
  const {token} = await loginOf('Eve');
  const [head, claims, signature] = token.split('.');
  const changed = Buffer.from(JSON.stringify({...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'ada'}));
  for (const wrong of [undefined, 'guessed', `${head}.${changed.toString('base64url')}.${signature}`]) {
    const member = await LiveMember.open(server.url, wrong === undefined ? {} : bearer(wrong));
    assert.equal((await within(member.closed, 'the refusal')).code, 4401);
  }
});

test('permissions: a member can’t do what the moderator does, nor open a room', async () => {
  const eve = await loginOf('Eve');
  const member = await LiveMember.join(server.url, 'chat', {}, bearer(eve.token));
  await assert.rejects(member.request('call', {method: 'remove', payload: eve.userId}), {code: 'FORBIDDEN'});
  await assert.rejects(member.request('create_room', {roomId: 'den', mode: 'live'}), /there is only the chat/);
  await member.close();
});

test('log out: the login gets no more tokens', async () => {
  const eve = await loginOf('Eve');
  assert.match(eve.headers.get('set-cookie'), /; HttpOnly; SameSite=Strict; /);
  assert.equal((await eve.post('token')).status, 200);
  assert.equal((await eve.post('logout')).status, 204);
  assert.equal((await eve.post('token')).status, 401);
});

test('removal: the member is told why, and neither the token nor the login is good any more', async () => {
  const eve = await loginOf('Eve');
  const member = await LiveMember.join(server.url, 'chat', {}, bearer(eve.token));
  await row(moderator, 'Eve').getByRole('button').click();
  assert.ok((await names(moderator)).includes('Eve'), 'the first click asks');
  await shoot(moderator, 'remove-laptop');
  await row(moderator, 'Eve').getByRole('button').click();
  assert.deepEqual(await within(member.closed, 'the end'), {code: 4401, reason: 'A moderator has removed you.'});
  const again = await LiveMember.open(server.url, bearer(eve.token));
  assert.equal((await within(again.closed, 'the refusal')).code, 4401);
  assert.equal((await eve.post('token')).status, 401);

  await row(moderator, 'Ada').getByRole('button').click();
  await row(moderator, 'Ada').getByRole('button').click();
  await reads(ada, '#notice', 'A moderator has removed you.');
  assert.ok(await ada.isVisible('#log-in'));
  await until(async () => (await names(moderator)).join() === 'Moderator', 'Ada is not listed');
  await shoot(ada, 'removed-phone');
});

test('the pages reported no error', () => assert.deepEqual(problems, []));

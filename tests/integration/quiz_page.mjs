// The quiz in Chromium: a host and players, on a laptop and on phones. Run with plain `node`.
//
// FLUX_QUIZ_SERVER  examples/quiz, built; required
// CHROMIUM          the browser; default /usr/bin/chromium
// SCREENSHOT_DIR    the folder for the screenshots; default: a temporary folder

import assert from 'node:assert/strict';
import {mkdirSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {isStill, laptop, phone, startBrowser} from './support/browser.mjs';
import {LiveMember} from './support/live_member.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

const boundMs = 60_000;
const examples = fileURLToPath(new URL('../../examples', import.meta.url));
const screenshots = process.env.SCREENSHOT_DIR ?? join(tmpdir(), 'flux-quiz-page');
const questions = JSON.parse(readFileSync(join(examples, 'quiz/questions.json'), 'utf8'));
const playersMax = 3;
const answerSeconds = 3_600; // longer than the test: the host closes the questions

let server;
let hostLink;
let browser;
let host; // on a laptop
let ada; // on a phone
let ben; // on another one
let second; // connection of Ada's, without a page
const problems = [];

before(async () => {
  mkdirSync(screenshots, {recursive: true});
  browser = await startBrowser();
  [server, hostLink] = await startQuiz(answerSeconds, playersMax);
});
after(async () => {
  await browser.close();
  await server.stop();
});

async function startQuiz(seconds, players) {
  const started = await startServer(process.env.FLUX_QUIZ_SERVER, [examples, '0', String(seconds), String(players)]);
  const line = await until(() => started.output.find((each) => each.includes('#host=')), 'the link of the host');
  return [started, line.slice(line.indexOf('http'))];
}

async function openPage(name, device, url = server.url) {
  const context = await browser.newContext({...device, locale: 'en-GB', timezoneId: 'UTC'});
  const page = await context.newPage();
  page.setDefaultTimeout(boundMs);
  page.on('pageerror', (error) => problems.push(`${name}: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    const isExpected = /status of 403|WebSocket connection to/.test(message.text());
    if (message.type() === 'error' && !isExpected) problems.push(`${name}: ${message.text()}`);
  });
  await page.goto(url);
  return page;
}

async function enter(name, device, url) {
  const page = await openPage(name, device, url);
  await page.fill('#name', name);
  await page.press('#name', 'Enter');
  return page;
}

const isIn = (page) => page.waitForSelector('#status[data-state=open]', {state: 'attached'});
const reads = (page, selector, text) => page.locator(selector, {hasText: text}).first().waitFor();
const isPhase = (page, phase) => page.waitForSelector(`#show[data-phase=${phase}]`);
const isQuestion = async (page, number) => {
  await isPhase(page, 'question');
  await reads(page, '#question', questions[number - 1].text);
};
const choice = (page, text) => page.locator('.answer', {hasText: text});
const right = (number) => questions[number - 1].choices[questions[number - 1].right];
const wrong = (number) => questions[number - 1].choices[(questions[number - 1].right + 1) % 4];
const row = (page, name) => page.locator('.player', {hasText: name});
const pointsOf = async (page, name) =>
  Number((await row(page, name).locator('.points').textContent()).replace(',', ''));
const names = (page) => page.locator('.player-name').allTextContents();

async function say(page, text) {
  await page.fill('#message', text);
  await page.press('#message', 'Enter');
}

async function shoot(page, name) {
  await isStill(page);
  await page.screenshot({path: join(screenshots, `quiz-${name}.png`)});
}

/** Another connection of the player of this page, in the room. It takes a seat, too. */
async function behind(page) {
  const {token} = await page.evaluate(() => JSON.parse(sessionStorage.getItem('flux.quiz')));
  const member = await LiveMember.join(server.url, 'quiz', {}, {headers: {authorization: `Bearer ${token}`}});
  member.answer = (payload) => member.request('broadcast_event', {event: 'answer', payload});
  return member;
}

test('enter: the host by its link, and nobody by a wrong one', async () => {
  host = await openPage('Host', laptop, hostLink);
  await shoot(host, 'entrance-laptop');
  await host.click('#go');
  await isIn(host);
  await reads(host, '#next', 'Open the first question');

  const mallory = await enter('Mallory', laptop, `${server.url}#host=guessed`);
  await reads(mallory, '#notice', 'This is not the link of the host.');
  assert.ok(await mallory.isVisible('#enter'));
  await mallory.context().close();
});

test('enter: players are listed, and do not see the host’s buttons', async () => {
  ada = await openPage('Ada', phone);
  await shoot(ada, 'entrance-phone');
  await ada.fill('#name', 'Ada');
  await ada.click('#go');
  await isIn(ada);
  await reads(host, '.player-name', 'Ada');
  assert.equal(await ada.isVisible('#next'), false);
  await shoot(host, 'lobby-laptop');
});

test('late joiner: gets the question that is open', async () => {
  await host.click('#next');
  await isQuestion(ada, 1);
  ben = await enter('Ben', {...phone, colorScheme: 'light'});
  await isQuestion(ben, 1);
  await reads(ben, '#progress', 'Question 1 of 5');
  await row(host, 'Ben').waitFor();
  await shoot(ada, 'question-phone');
});

test('capacity: a player who finds no seat is told so', async () => {
  second = await behind(ada);
  const cleo = await enter('Cleo', laptop);
  await reads(cleo, '#notice', 'Every seat is taken.');
  assert.deepEqual(await names(host), ['Ada', 'Ben']);
  await shoot(cleo, 'full-laptop');
  await cleo.context().close();
});

test('round: answers by key and click; the result when everybody has answered', async () => {
  await ada.keyboard.press(String(questions[0].right + 1));
  await reads(host, '#verdict', 'Waiting for 1 of 2.');
  await reads(ada, '#verdict', 'Waiting for 1 of 2.');
  assert.equal(await choice(ada, right(1)).getAttribute('aria-pressed'), 'true');
  assert.equal(await pointsOf(ben, 'Ada'), 0, 'points would give the answer away');
  const events = () => second.frames.filter(({type}) => type === 'broadcast_event').map(({payload}) => payload.event);
  await until(() => events().includes('missing'), 'the others hear that somebody has answered');
  assert.ok(!events().includes('answer'), 'but not what');
  await shoot(host, 'question-laptop');

  await ada.reload();
  await isQuestion(ada, 1);
  await until(async () => (await choice(ada, right(1)).getAttribute('aria-pressed')) === 'true', 'the answer is kept');

  await choice(ben, wrong(1)).click();
  for (const page of [host, ada, ben]) await isPhase(page, 'result');
  await reads(ada, '#verdict', /^Right\. \d+ points\.$/);
  await reads(ben, '#verdict', 'Not this time.');
  assert.deepEqual(await names(host), ['Ada', 'Ben']);
  assert.ok((await pointsOf(host, 'Ada')) > 500);
  assert.equal(await pointsOf(host, 'Ben'), 0);
  await shoot(host, 'result-laptop');
  await shoot(ben, 'result-phone');
});

test('chat: a message has its sender’s name; one with a link is refused', async () => {
  await say(ben, 'Look: https://example.com/');
  await reads(ben, '#problem', 'no links, please');
  assert.equal(await ben.inputValue('#message'), 'Look: https://example.com/', 'it can be corrected');
  await say(ben, 'I thought of the year.');
  await reads(host, '.message .text', 'I thought of the year.');
  assert.equal(await host.locator('.message').count(), 1);
  assert.equal(await host.locator('.message .author').textContent(), 'Ben');
});

test('answers: one that is late, a second one and a guess at the choices are refused', async () => {
  await assert.rejects(second.answer({number: 1, choice: 0}), /too late, this question is over/);
  await host.click('#next');
  await isQuestion(ada, 2);
  await assert.rejects(second.answer({number: 1, choice: 0}), /too late, this question is over/);
  await assert.rejects(second.answer({number: 2, choice: 4}), /there is no such choice/);
  await assert.rejects(second.answer(), /too late/);
  assert.equal(await second.answer({number: 2, choice: questions[1].right}), 1, 'how many have not answered');
  await assert.rejects(second.answer({number: 2, choice: 0}), /already answered/);
  await choice(ada, right(2)).click();
  await reads(ada, '#verdict', 'Your answer does not count: you have already answered this question.');
});

test('roles: players can’t do what the host does, nor speak for the quiz', async () => {
  await assert.rejects(second.request('call', {method: 'next'}), /only the host may do that/);
  await assert.rejects(second.request('call', {method: 'remove', payload: 'x'}), /only the host may do that/);
  await assert.rejects(second.request('broadcast_event', {event: 'you', payload: {}}), /players only answer/);
  await assert.rejects(second.request('share', {data: {type: 'string', content: 'x'}}), /only the quiz shares data/);
  await assert.rejects(second.request('create_room', {roomId: 'den', mode: 'live'}), /there is only the quiz/);
  await second.close();
});

test('chat: what is said while a question is open appears afterwards', async () => {
  await say(ada, `It is ${right(2)}.`);
  await reads(ada, '#problem', 'This appears when the question is over.');
  assert.equal(await host.locator('.message').count(), 1);
  await say(ben, 'Hear, hear.');
  await reads(ben, '#problem', 'This appears when the question is over.');
});

test('kick: the player is told why, and does not come back', async () => {
  await row(host, 'Ben').getByRole('button').click();
  assert.deepEqual(await names(host), ['Ada', 'Ben'], 'the first click asks');
  await shoot(host, 'remove-laptop');
  await row(host, 'Ben').getByRole('button').click();
  await reads(ben, '#notice', 'the host has removed you');
  await until(async () => (await names(host)).join() === 'Ada', 'Ben is not listed');
  await shoot(ben, 'removed-phone');
  await ben.context().close();
});

test('end: the host goes on to the winners, and to another round', async () => {
  for (let number = 2; number <= questions.length; number++) {
    await isQuestion(host, number);
    if (number > 2) await choice(ada, right(number)).click();
    else await host.click('#next'); // Ada has answered, but Ben, who has left, had not
    await isPhase(host, 'result');
    await host.click('#next');
  }
  await reads(host, '.message .text', `It is ${right(2)}.`);
  assert.deepEqual(await host.locator('.message .author').allTextContents(), ['Ben', 'Ada'], 'nothing more of Ben’s');
  await isPhase(ada, 'end');
  await reads(ada, '#verdict', 'You are number 1 of 1.');
  await reads(ada, '.step-name', 'Ada');
  await shoot(host, 'end-laptop');
  await shoot(ada, 'end-phone');
  await host.click('#next');
  await isQuestion(ada, 1);
  assert.equal(await pointsOf(ada, 'Ada'), 0);
  assert.equal(await ada.locator('.answer:enabled').count(), 4);
});

test('enter: a page whose login the server has forgotten asks for the name again', async () => {
  const page = await openPage('Finn', laptop);
  await page.evaluate(() => sessionStorage.setItem('flux.quiz', JSON.stringify({token: 'forgotten', name: 'Finn'})));
  await page.reload();
  await reads(page, '#notice', 'enter your name again');
  assert.ok(await page.isVisible('#enter'));
  await page.context().close();
});

test('time: a question closes by itself, and the answer that was not given counts nothing', async () => {
  const [quick, link] = await startQuiz(1, 3);
  const master = await openPage('Host', laptop, link);
  await master.click('#go');
  await isIn(master);
  const dora = await enter('Dora', laptop, quick.url);
  await row(master, 'Dora').waitFor();
  await master.click('#next');
  await isPhase(dora, 'result');
  await reads(dora, '#verdict', 'You have not answered.');
  await master.context().close();
  await dora.context().close();
  await quick.stop();
});

test('pages: no error in any console', () => {
  assert.deepEqual(problems, []);
});

// The example of log-ins and permissions: guests, a user with a token, and a service with an API key. Run with plain `node`.
//
// FLUX_AUTH_SERVER  examples/auth, built; required

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, before, test} from 'node:test';

import {LiveMember} from './support/live_member.mjs';
import {startServer} from './support/server_program.mjs';
import {until} from './support/wait.mjs';

let folder;
let server;
let token;
let key;
const members = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-auth-example-'));
  const secret = join(folder, 'secret.key');
  writeFileSync(secret, 'a secret of at least thirty-two bytes', {mode: 0o600});
  server = await startServer(process.env.FLUX_AUTH_SERVER, [secret, '0']);
  const shown = (what) => server.output.find((line) => line.startsWith(what)).slice(what.length);
  token = shown('token of Ada: ');
  key = shown('API key of the editor: ');
});
afterEach(() => Promise.all(members.splice(0).map((member) => member.close())));
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});

async function open(headers = {}) {
  const member = await LiveMember.open(server.url, {headers});
  members.push(member);
  return member;
}
const ada = () => open({Authorization: `Bearer ${token}`});
const refused = (request, code, reason) =>
  assert.rejects(request, (error) => {
    assert.equal(error.code, code);
    assert.match(error.message, reason);
    return true;
  });

test('a guest may enter the lobby and the news, and no other room', async () => {
  const guest = await open();
  await guest.enter('lobby');
  await guest.enter('news');
  await refused(guest.request('join_room', {roomId: 'staff-1'}), 'FORBIDDEN', /log in to join staff-1/);
});

test('a user enters the staff rooms that the database has for the user, and any other room', async () => {
  const user = await ada();
  await user.enter('kitchen');
  await user.enter('staff-1');
  assert.equal(user.welcome.presence[user.id].name, 'Ada');
  await refused(user.request('join_room', {roomId: 'staff-2'}), 'FORBIDDEN', /administrators only/);
});

test('messages that follow a join wait until the database has answered', async () => {
  const user = await ada();
  const joined = user.enter('staff-1');
  const sent = user.request('send_chat', {message: 'hello'});
  await joined;
  await sent;
});

test('a guest that shows a token when it joins is the user from then on', async () => {
  const guest = await open();
  await guest.enter('staff-1', {}, {accessToken: token});
});

test('the news are written by the service alone, and read by everybody', async () => {
  const guest = await open();
  await guest.enter('news');
  await refused(guest.request('broadcast_event', {event: 'headline', payload: 1}), 'UNAUTHORIZED', /news/);
  const user = await ada();
  await user.enter('news');
  await refused(user.request('broadcast_event', {event: 'headline', payload: 2}), 'FORBIDDEN', /news/);
  const editor = await open({'X-API-Key': key});
  await editor.enter('news');
  await editor.request('broadcast_event', {event: 'headline', payload: 3});
  const news = await until(() => guest.frames.find(({type}) => type === 'broadcast_event'), 'the headline');
  assert.equal(news.payload.payload, 3);
});

test('a wrong token is refused', async () => {
  const wrong = await open({Authorization: `Bearer ${token.slice(0, -4)}AAAA`});
  assert.equal((await wrong.closed).code, 4401);
});

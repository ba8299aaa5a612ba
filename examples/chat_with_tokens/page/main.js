// The page: logging in, and what connects the client to the conversation, the members, and the panel about access.

import {Access} from './access.js';
import {Conversation} from './conversation.js';
import {LiveClient} from './live_client.js';
import {Members} from './members.js';

const room = 'chat';
const moderatorKey = new URLSearchParams(location.hash.slice(1)).get('moderator');
const find = (id) => document.getElementById(id);

let client = null; // while we are logged in
let hasJoined = false; // with the present token or an earlier one of this connection
const access = new Access(find, renew);
const conversation = new Conversation(find, (text) => client.sendChat(text));
const members = new Members(find, remove);

// ---- Logging in and out

/** Posts to the server; an answer other than 2xx throws an error with what it says. */
async function post(path, body) {
  const answer = await fetch(path, {method: 'POST', body: body && JSON.stringify(body)});
  if (!answer.ok) throw new Error(await answer.text());
  return answer.status === 204 ? null : answer.json();
}

async function logIn(name) {
  enter(await post('login', {name, moderatorKey: moderatorKey ?? undefined}), 'Logged in');
}

/** Connects with a token, which the server has issued for the login in our cookie. */
function enter(issued, how) {
  access.show(issued, how);
  conversation.ownId = members.ownId = issued.userId;
  members.isModerator = issued.permissions.includes(`moderate:${room}`);
  client = new LiveClient(() => {
    const address = new URL('live', location.href);
    address.protocol = address.protocol.replace('http', 'ws');
    address.hash = '';
    address.searchParams.set('access_token', access.token);
    return address;
  });
  hasJoined = false;
  client.on('state', showStatus);
  client.on('room_joined', ({presence, chatHistory}) => {
    hasJoined = true;
    members.reset(presence);
    conversation.reset(chatHistory);
  });
  client.on('presence_updated', (change) => members.update(change));
  client.on('chat_message', (message) => conversation.add(message));
  client.on('access_expiring', () => access.expiring());
  client.on('join_failed', ({message}) => leave(message));
  find('entrance').hidden = true;
  find('app').inert = false;
  client.join(room, {});
  client.connect();
}

/** Gets the next token and shows it to the server, which keeps the connection open. */
async function renew() {
  const present = client;
  const issued = await post('token');
  if (client !== present) return; // we have left meanwhile
  if (client.isOpen) await client.refresh(issued.token);
  access.show(issued, 'New token, same connection');
}

/** The server has closed the connection for good: the token has ended, or was revoked. */
async function refused(reason) {
  client.close();
  access.ended(reason);
  if (!hasJoined) return leave(reason); // it refuses a token that is new
  try {
    enter(await post('token'), 'New token, new connection');
  } catch {
    leave(reason || 'Please log in again.');
  }
}

function leave(notice = '') {
  client?.close();
  client = null;
  access.clear();
  find('notice').textContent = notice;
  find('entrance').hidden = false;
  find('app').inert = true;
  find('name').select();
}

find('log-in').addEventListener('submit', (event) => {
  event.preventDefault();
  logIn(find('name').value.trim()).catch(({message}) => leave(message || 'The server cannot be reached.'));
});
find('log-out').addEventListener('click', () => {
  post('logout').catch(() => {}); // without the server there is nothing to end
  leave();
});
find('retry').addEventListener('click', () => client.retry());

function showStatus({state, reason}) {
  if (state === 'refused') return refused(reason);
  const texts = {connecting: 'Connecting…', open: 'Live', waiting: 'Reconnecting…', idle: ''};
  find('status').dataset.state = state;
  find('status-text').textContent = texts[state];
  find('retry').hidden = state !== 'waiting';
}

// ---- What a moderator does

function remove(userId) {
  client.call('remove', userId).catch(({message}) => conversation.showProblem(message));
}

if (moderatorKey !== null) {
  find('lead').textContent = 'You are the moderator: you may remove members, and their tokens end at once.';
  find('name').value = 'Moderator';
}
post('token').then(
  (issued) => enter(issued, 'Logged in before'),
  () => find('name').focus(),
);

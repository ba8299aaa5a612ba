// The page: entering, and what connects the client to the stage, the players and the conversation.

import {LiveClient} from '/collab/live_client.js';
import {recall, remember} from '/collab/memory.js';

import {Conversation} from './conversation.js';
import {Players} from './players.js';
import {Stage} from './stage.js';

const room = 'quiz';
const hostKey = new URLSearchParams(location.hash.slice(1)).get('host');
const find = (id) => document.getElementById(id);

let client = null; // while we have entered
let present = null; // the newest state of the quiz
const stage = new Stage(
  find,
  (number, choice) => client.ask('answer', {number, choice}),
  () => ask('next'),
);
const players = new Players(find, (id) => ask('remove', id));
const conversation = new Conversation(find, (text) => client.sendChat(text));

// ---- Entering and leaving

/** Tells the program our name; it answers with the token that the connection shows. */
async function enter(name) {
  const answer = await fetch('enter', {method: 'POST', body: JSON.stringify({name, hostKey: hostKey ?? undefined})});
  if (!answer.ok) return leave(await answer.text());
  const {token} = await answer.json();
  remember('tab', 'quiz', {token, name});
  play({token, name});
}

function play({token, name}) {
  const address = new URL('live', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  address.hash = '';
  address.searchParams.set('access_token', token);
  client = new LiveClient(address);
  client.on('state', showStatus);
  client.on('room_joined', joined);
  client.on('presence_updated', (change) => players.update(change));
  client.on('room_data', ({data}) => show(data));
  client.on('broadcast_event', receive);
  client.on('chat_message', (message) => conversation.add(message));
  client.on('room_left', ({reason}) => leave(reason ?? 'You are no longer in the quiz.'));
  client.on('join_failed', ({code, message}) =>
    leave(code === 'ROOM_FULL' ? 'Every seat is taken. Try again when a player has left.' : message),
  );
  find('self').textContent = hostKey === null ? name : 'Host';
  find('host').hidden = hostKey === null;
  find('lobby').hidden = true;
  find('app').inert = false;
  client.join(room, {});
  client.connect();
}

function leave(notice = '') {
  client?.close();
  client = null;
  remember('tab', 'quiz', null);
  find('notice').textContent = notice;
  find('lobby').hidden = false;
  find('app').inert = true;
  find('name').select();
}

find('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  enter(find('name').value.trim()).catch(() => leave('The server cannot be reached.'));
});
find('leave').addEventListener('click', () => leave());
find('retry').addEventListener('click', () => client.retry());

// ---- What the server says

/** The server's event `you` follows, with what only we may know. */
function joined({presence, chatHistory, data}) {
  players.reset(presence);
  conversation.reset(chatHistory);
  present = data.data;
}

function show(state) {
  present = state;
  stage.show(state);
  players.show(state);
}

function receive({connectionId, event, payload}) {
  if (connectionId !== 'server') return;
  if (event === 'missing') stage.showMissing(payload);
  if (event !== 'you') return;
  players.ownId = stage.ownId = payload.id;
  stage.resume(payload);
  show(present);
}

function showStatus({state, reason}) {
  if (state === 'refused') return leave(reason || 'Please enter again.');
  const texts = {connecting: 'Connecting…', open: 'Live', waiting: 'Reconnecting…', idle: ''};
  find('status').dataset.state = state;
  find('status-text').textContent = texts[state];
  find('retry').hidden = state !== 'waiting';
}

// ---- What the host does

function ask(method, payload) {
  client.call(method, payload).catch(({message}) => conversation.showProblem(message));
}

if (hostKey !== null) {
  find('lead').textContent = 'You are the host: you open the questions, and may remove players.';
  find('name').value = 'Host';
  find('go').textContent = 'Host the quiz';
  players.isHost = stage.isHost = true;
}
const visit = recall('tab', 'quiz', null);
if (visit) play(visit);
else find('name').focus();

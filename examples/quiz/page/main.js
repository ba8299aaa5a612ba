// The page: entering, and what connects flux.js to the stage, the players and the conversation.

import {recall, remember} from '/collab/memory.js';
import {Flux} from '/flux.js';

import {Conversation} from './conversation.js';
import {Players} from './players.js';
import {Stage} from './stage.js';

const hostKey = new URLSearchParams(location.hash.slice(1)).get('host');
const find = (id) => document.getElementById(id);

let flux = null; // the connection, while we have entered
let room = null; // the quiz
let present = null; // the newest state of the quiz
const stage = new Stage(
  find,
  (number, choice) => room.send('answer', {number, choice}),
  () => ask('next'),
);
const players = new Players(find, (id) => ask('remove', id));
const conversation = new Conversation(find, (text) => room.chat(text));

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
  const made = new Flux(new URL('.', location.href).href, {token});
  flux = made;
  room = flux.room('quiz');
  const on = (emitter, name, listener) => emitter.on(name, (value) => made === flux && listener(value));
  on(flux, 'state', showStatus);
  on(flux, 'closed', ({reason}) => leave(reason || 'Please enter again.'));
  on(room, 'joined', joined);
  on(room, 'presence', () => players.here(room.members));
  on(room, 'data', ({data}) => show(data));
  on(room, 'event', receive);
  on(room, 'chat', (message) => message.type === 'chat_message' && conversation.add(message));
  on(room, 'left', ({reason}) => leave(reason ?? 'You are no longer in the quiz.'));
  on(room, 'error', refused);
  find('self').textContent = hostKey === null ? name : 'Host';
  find('host').hidden = hostKey === null;
  find('lobby').hidden = true;
  find('app').inert = false;
  flux.join('quiz'); // as soon as there is a connection
  showStatus(flux.state);
}

function refused({code, message}) {
  leave(code === 'ROOM_FULL' ? 'Every seat is taken. Try again when a player has left.' : message);
}

function leave(notice = '') {
  const left = flux;
  flux = room = null;
  left?.close();
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
find('retry').addEventListener('click', () => flux.retry());

// ---- What the server says

/** The server's event `you` follows, with what only we may know. */
function joined({chatHistory, data}) {
  players.here(room.members);
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

function showStatus(state) {
  const texts = {connecting: 'Connecting…', open: 'Live', waiting: 'Reconnecting…', closed: ''};
  find('status').dataset.state = state;
  find('status-text').textContent = texts[state];
  find('retry').hidden = state !== 'waiting';
}

// ---- What the host does

function ask(method, payload) {
  flux.call(method, payload).catch(({message}) => conversation.showProblem(message));
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

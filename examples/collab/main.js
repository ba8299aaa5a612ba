// The page: the lobby, the room with its board and conversation, and their wiring to flux.js, which the server has.

import {Board} from './board.js';
import {BoardSync} from './board_sync.js';
import {Chat} from './chat.js';
import {Cursors, reportCursor} from './cursors.js';
import {Drawing, penWidths} from './drawing.js';
import {element} from './element.js';
import {Flux} from './flux.js';
import {recall, remember} from './memory.js';
import {penColors, peopleColors, personColor} from './palette.js';
import {Presence} from './presence.js';
import {randomId} from './random_id.js';

const defaultRoom = 'lobby';
const nameLength = 40;
const roomLength = 64;
const reportsMax = 3;

const find = (id) => document.getElementById(id);

const self = {name: '', color: peopleColors[0], cursor: null, browser: recall('browser', 'id', null) ?? randomId()};
remember('browser', 'id', self.browser);
let flux = null; // the connection, while we want to be in a room
let room = null; // that room
let hasJoined = false; // at least once
let isHere = false;
let unread = 0;

const cursors = new Cursors(find('cursors'));
const presence = new Presence(
  {
    button: find('people'),
    row: find('people-row'),
    count: find('people-count'),
    panel: find('people-panel'),
    list: find('people-list'),
  },
  (others) => cursors.show(others),
);
const chat = new Chat(
  {
    log: find('log'),
    list: find('messages'),
    earlier: find('earlier'),
    note: find('note'),
    latest: find('latest'),
    form: find('composer'),
    input: find('message'),
    news: find('news'),
  },
  () => ({name: self.name, color: self.color}),
  (connectionId) => presence.get(connectionId),
  countUnread,
);
const drawing = new Drawing();
const board = new Board(find('canvas'), drawing, (stroke) => sync.drawn(stroke));
const sync = new BoardSync(drawing, board);

// ---- The room

function enter(roomId) {
  if (!flux || flux.state === 'closed') flux = connect();
  room?.leave();
  room = roomOf(flux, roomId);
  hasJoined = isHere = false;
  self.cursor = null;
  remember('tab', 'visit', {room: roomId, name: self.name, color: self.color});
  history.replaceState(null, '', `#${encodeURIComponent(roomId)}`);
  presence.show(null);
  chat.forget();
  drawing.reset();
  board.abandon();
  board.repaint();
  sync.forget();
  find('room-name').textContent = roomId;
  setLobby(false);
  const entered = room;
  flux.join(roomId, {...self}, {name: self.name}).catch((error) => entered === room && refused(error));
  showStatus();
}

/** The connection to the server that the page comes from. */
function connect() {
  const made = new Flux(new URL('.', location.href).href);
  made.on('state', () => made === flux && showStatus());
  made.on('closed', ({reason}) => made === flux && showStatus(reason));
  return made;
}

/** A room, and what the page does when something happens there. */
function roomOf(connection, id) {
  const made = connection.room(id);
  const on = (name, listener) => made.on(name, (value) => made === room && listener(value));
  on('joined', ({chatHistory, chatHistoryError}) => {
    const isReturn = hasJoined;
    hasJoined = isHere = true;
    presence.show(made);
    if (!isReturn) standOut();
    sync.joined(made, isReturn);
    chat.joined(made, chatHistory, Boolean(chatHistoryError));
    showStatus();
  });
  on('presence', () => presence.show(made));
  on('event', (event) => sync.receive(event));
  on('chat', (message) => (message.type === 'chat_message' ? chat.receive(message) : chat.changed(message)));
  on('closed', ({reason}) => leave(`The room was closed. ${reason ?? ''}`));
  on('left', ({reason}) => leave(reason ?? 'You are no longer in the room.'));
  on('error', refused);
  return made;
}

function refused({message}) {
  leave(`“${room.id}” could not be joined. ${message}`);
}

/** Picks a colour that nobody else has, if ours is taken and one is free. A further tab of ours has the same colour. */
function standOut() {
  const taken = presence.colorsOfOthers();
  const free = peopleColors.find((color) => !taken.has(color));
  const color = presence.colorElsewhere() ?? (taken.has(self.color) && free ? free : self.color);
  if (color === self.color) return;
  self.color = color;
  report();
  presence.show(room);
}

function leave(notice = '') {
  const left = flux;
  flux = room = null;
  left?.close();
  showStatus();
  remember('tab', 'visit', null);
  presence.show(null);
  setLobby(true, notice);
}

let reports = 0; // not acknowledged yet

/** Tells the others what has changed about us. Without a connection, the room is joined with it on the next one. */
async function report() {
  reports++;
  await room.update({...self}).catch(() => {});
  reports--;
}

reportCursor(find('paper'), (cursor) => {
  if (!room || (cursor && reports >= reportsMax)) return; // a slow network
  self.cursor = cursor;
  report();
});

// ---- Connection

let countdown = 0;

/** `reason`: why the server has ended the connection for good. */
function showStatus(reason) {
  const state = flux?.state ?? 'idle';
  clearInterval(countdown);
  if (state !== 'open' && isHere) {
    isHere = false;
    sync.lost();
    chat.lost();
    cursors.show(new Map());
  }
  const shown = state === 'closed' ? 'refused' : state === 'open' && !isHere ? 'connecting' : state;
  const texts = {
    idle: 'Not connected',
    connecting: 'Connecting…',
    open: 'Live',
    waiting: 'Reconnecting…',
    refused: reason || 'Not allowed in',
  };
  find('status').dataset.state = shown;
  find('status-text').textContent = texts[shown];
  find('retry').hidden = state !== 'waiting';
  if (state === 'waiting') {
    const tick = () => {
      const seconds = Math.max(1, Math.ceil((flux.retryAt - Date.now()) / 1000));
      find('retry').textContent = `Try now (${seconds} s)`;
    };
    tick();
    countdown = setInterval(tick, 1000);
  }
}

find('retry').addEventListener('click', () => flux.retry());

// ---- The lobby

const adjectives = ['Quiet', 'Bright', 'Gentle', 'Swift', 'Clever', 'Merry', 'Bold', 'Patient'];
const animals = ['Heron', 'Otter', 'Lynx', 'Wren', 'Marten', 'Finch', 'Badger', 'Ibis'];

let suggestedName = '';

function setLobby(isOpen, notice = '') {
  find('lobby').hidden = !isOpen;
  find('app').inert = isOpen;
  find('notice').textContent = notice;
  showTitle();
  if (isOpen) find('name').select();
  else find('canvas').focus({preventScroll: true});
}

function fillLobby() {
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  const profile = recall('browser', 'profile', {});
  self.color = personColor(profile.color, Math.random());
  suggestedName = `${pick(adjectives)} ${pick(animals)}`;
  find('name').value = profile.name ?? suggestedName;
  find('room').value = roomFromHash() ?? defaultRoom;
  find('own-colors').append(...peopleColors.map((color) => swatch('own-color', color, color === self.color)));
}

find('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  self.name = plain(find('name').value).slice(0, nameLength);
  self.color = new FormData(event.target).get('own-color');
  // A second window of this browser gets its own suggestion, unless the user chose the name.
  if (self.name !== suggestedName) remember('browser', 'profile', {name: self.name, color: self.color});
  enter(plain(find('room').value).slice(0, roomLength) || defaultRoom);
});

find('leave').addEventListener('click', () => leave());

addEventListener('hashchange', () => {
  const wanted = roomFromHash();
  if (!wanted || wanted === room?.id) return;
  find('room').value = wanted;
  if (room !== null) enter(wanted);
});

function roomFromHash() {
  try {
    return plain(decodeURIComponent(location.hash.slice(1))).slice(0, roomLength) || null;
  } catch {
    return null;
  }
}

/** Without control characters, and with single spaces. */
function plain(text) {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

// ---- Copying the link

find('copy').addEventListener('click', async () => {
  const copied = await copyText(location.href);
  find('copied').textContent = copied ? 'Link copied' : location.href;
  setTimeout(() => (find('copied').textContent = ''), copied ? 2_000 : 10_000);
});

/** The clipboard API exists only on pages with TLS and on localhost; the old way works everywhere. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element('textarea', {value: text, className: 'sr-only'});
    document.body.append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied;
  }
}

// ---- Tools

function swatch(group, color, isChecked) {
  const input = element('input', {type: 'radio', name: group, value: color, checked: isChecked});
  const disc = element('span', {className: 'swatch', dataset: {color}});
  return element(
    'label',
    {className: 'choice', title: color},
    input,
    disc,
    element('span', {className: 'sr-only'}, color),
  );
}

function fillTools() {
  find('pens').prepend(...penColors.map((color) => swatch('pen', color, color === 'ink')));
  const names = ['thin', 'medium', 'thick'];
  find('widths').append(
    ...penWidths.map((width, index) =>
      element(
        'label',
        {className: 'choice', title: names[index]},
        element('input', {type: 'radio', name: 'width', value: String(width), checked: index === 1}),
        element('span', {className: 'width', dataset: {width: names[index]}}),
        element('span', {className: 'sr-only'}, names[index]),
      ),
    ),
  );
  find('tools').addEventListener('change', () => {
    const chosen = new FormData(find('tools'));
    const pen = chosen.get('pen');
    board.tool = {
      tool: pen === 'eraser' ? 'eraser' : 'pen',
      color: pen === 'eraser' ? board.tool.color : pen,
      width: Number(chosen.get('width')),
    };
    find('paper').dataset.tool = board.tool.tool;
  });
}

/** Clearing affects everyone, so the button asks for confirmation. */
let clearTimer = 0;

function askToClear(isAsking) {
  clearTimeout(clearTimer);
  find('clear').classList.toggle('asking', isAsking);
  find('clear-text').textContent = isAsking ? 'Clear for everyone?' : 'Clear';
  if (isAsking) clearTimer = setTimeout(() => askToClear(false), 4_000);
}

find('clear').addEventListener('click', () => {
  const isSure = find('clear').classList.contains('asking');
  if (isSure) sync.clear();
  askToClear(!isSure);
});
find('clear').addEventListener('blur', () => askToClear(false));
find('tools').addEventListener('submit', (event) => event.preventDefault());

// ---- The sheet that holds the conversation on small screens

const narrow = matchMedia('(max-width: 900px) and (orientation: portrait)');

function setSheet(isTall) {
  find('app').classList.toggle('sheet-tall', isTall);
  find('sheet').setAttribute('aria-expanded', String(isTall));
  find('sheet-text').textContent = isTall ? 'Show the board' : 'Show more of the conversation';
}

find('sheet').addEventListener('click', () => setSheet(!find('app').classList.contains('sheet-tall')));
// A phone's keyboard leaves no room for both.
find('message').addEventListener('focus', () => {
  if (narrow.matches && matchMedia('(pointer: coarse)').matches) setSheet(true);
});

// ---- The title counts unread messages

function countUnread() {
  if (document.visibilityState === 'visible') return;
  unread++;
  showTitle();
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  unread = 0;
  showTitle();
});

function showTitle() {
  const place = room === null ? 'flux' : `${room.id} · flux`;
  document.title = unread > 0 ? `(${unread}) ${place}` : place;
}

// ---- Start: a tab that was in a room returns to it when reloaded

fillLobby();
fillTools();
const visit = recall('tab', 'visit', null);
if (visit !== null && (roomFromHash() ?? visit.room) === visit.room) {
  Object.assign(self, {name: visit.name, color: visit.color});
  enter(visit.room);
} else {
  setLobby(true);
}

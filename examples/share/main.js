// The page: the places, the items shared in the current one, and their wiring to the client.

import {askTwice} from './ask_twice.js';
import {element} from './element.js';
import {takeFiles} from './file_input.js';
import {Incoming} from './incoming.js';
import {ItemList, fileUrl, itemTitle, readItem} from './item_list.js';
import {recall, remember} from './memory.js';
import {Place} from './places.js';
import {RoomsPanel, attempt} from './rooms_panel.js';
import {SharingClient} from './sharing_client.js';
import {Uploads} from './uploads.js';

const listEveryMs = 3_000;

const find = (id) => document.getElementById(id);

const publicPlace = new Place(null);
let places = [publicPlace];
let current = publicPlace;
let client = null;
let canList = true;

const panel = new RoomsPanel(
  {
    own: find('own-places'),
    open: find('open-rooms'),
    openNote: find('open-rooms-note'),
    join: find('join'),
    create: find('create'),
    details: find('new-room'),
  },
  {show: (roomId) => showPlace(placeOf(roomId)), join: joinNew, create: createNew},
);
const list = new ItemList({feed: find('feed'), list: find('items')}, showPicture, (text) => copy(text, 'Text copied'));
const uploads = new Uploads(find('uploads'), {
  // Without a ticket the others see no progress, and removing the item does not delete the file.
  ticket: (roomId) => client.uploadTicket(roomId).catch(() => ''),
  share: shareFile,
  isShared: (roomId, fileId) => placeOf(roomId)?.has(fileId) ?? false,
  choose: () => find('picker').click(),
  // Tells the others to stop showing it. A member that misses this stops by itself after a while.
  cancelled: (roomId, uploadId) => roomId !== null && client.tell(roomId, 'upload_cancelled', {uploadId}).catch(() => {}),
  say,
  changed: showTray,
});
const incoming = new Incoming(find('incoming'), showTray);

// ---- Places

function placeOf(roomId) {
  return places.find((place) => place.roomId === roomId);
}

function showPlace(place) {
  const isOther = place !== current;
  current = place;
  place.unread = 0;
  list.show(place.items, true);
  uploads.show(place.roomId);
  incoming.show(place.roomId);
  for (const id of ['composer-problem', 'copied']) find(id).textContent = '';
  history.replaceState(null, '', place.roomId === null ? location.pathname : `#${encodeURIComponent(place.roomId)}`);
  setMenu(false);
  showFacts();
  if (isOther) find('place-name').focus({preventScroll: true});
}

/** Updates everything except the items: people, rooms and the connection. */
function showFacts() {
  const {roomId, name, items, isHere, isCreator, mode, problem} = current;
  find('place-name').textContent = name;
  find('drop-place').textContent = name;
  find('place-facts').textContent = current.facts();
  find('feed-note').textContent = items.length === 0 ? current.emptyText() : '';
  find('copy-link').hidden = roomId === null;
  find('delete-last').hidden = roomId !== null || items.length === 0;
  find('close-room').hidden = !isCreator || !isHere;
  find('leave-room').hidden = roomId === null || problem !== '';
  if (find('place-problem').textContent !== problem) find('place-problem').textContent = problem;
  find('place-ways').hidden = problem === '';
  find('recreate').hidden = mode === undefined;
  find('menu-news').hidden = !places.some(({unread}) => unread > 0);
  const unread = places.reduce((sum, place) => sum + place.unread, 0);
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${name} · flux share`;
  panel.showOwn(places, current);
  showTray();
}

function addPlace(place) {
  places.push(place);
  rememberRooms();
}

function removePlace(place) {
  places = places.filter((one) => one !== place);
  rememberRooms();
  if (place === current) showPlace(publicPlace);
  else showFacts();
}

function rememberRooms() {
  const rooms = places.filter(({roomId}) => roomId !== null);
  remember(
    'tab',
    'rooms',
    rooms.map(({roomId, mode, capacity}) => ({roomId, mode, capacity})),
  );
}

// ---- Rooms: joining, leaving, and what they send

/** Joins a room at the user's request; rejects with the server's message. */
async function joinNew(roomId) {
  const place = placeOf(roomId) ?? new Place(roomId);
  if (!place.isHere) await enter(place);
  showPlace(place);
}

async function createNew(room) {
  await client.createRoom(room);
  const place = placeOf(room.roomId) ?? new Place(room.roomId);
  place.learn(room);
  entered(place, []);
  place.isCreator = true;
  showPlace(place);
}

async function enter(place) {
  entered(place, await client.joinRoom(place.roomId));
}

/** We joined a room; `items` is what it keeps. */
function entered(place, items) {
  Object.assign(place, {isHere: true, problem: '', items: items.map(readItem).filter(Boolean)});
  if (!placeOf(place.roomId)) addPlace(place);
  uploads.roomIsOpen(place.roomId);
  countMembers(place);
  listRooms();
}

async function countMembers(place) {
  try {
    place.members = new Set(await client.members(place.roomId));
  } catch {
    place.members = null; // the page works without them
  }
  showFacts();
}

/** Rejoins a room after a lost connection or a reload. */
async function enterAgain(place) {
  try {
    await enter(place);
  } catch (error) {
    // Without a connection, the next reconnect retries.
    if (error.code === 'REFUSED') place.problem = error.message;
  }
  if (place === current) list.show(place.items, true);
  showFacts();
}

async function leave(place) {
  uploads.cancelAll(place.roomId);
  try {
    if (place.isHere) await client.leaveRoom(place.roomId);
  } catch (error) {
    place.problem = error.message;
    return showFacts();
  }
  removePlace(place);
  listRooms();
}

function received(data, roomId) {
  const place = placeOf(roomId);
  const item = readItem(data);
  if (!place || !item) return;
  place.receive(item);
  changed(place, item);
}

function publicHistory(data) {
  const items = (Array.isArray(data) ? data : []).map(readItem).filter(Boolean);
  const isFirst = !publicPlace.isHere;
  const hasNew = items.length > 0 && JSON.stringify(items.at(-1)) !== JSON.stringify(publicPlace.items.at(-1));
  const isLonger = items.length >= publicPlace.items.length;
  Object.assign(publicPlace, {items, isHere: true});
  changed(publicPlace, !isFirst && hasNew && isLonger ? items.at(-1) : null);
  if (isFirst) uploads.roomIsOpen(null);
}

/** The items of a place have changed; `item` is the new one, if any. */
function changed(place, item) {
  const isSeen = place === current && document.visibilityState === 'visible';
  if (item && !isSeen) place.unread++;
  if (item) say(`New in ${place.name}: ${itemTitle(item)}`);
  if (place === current) list.show(place.items);
  showFacts();
}

function closed({roomId, reason}) {
  const place = placeOf(roomId);
  if (!place) return;
  Object.assign(place, {isHere: false, members: null, problem: `The room was closed. ${reason ?? ''}`.trim()});
  say(`${place.name}: ${place.problem}`);
  showFacts();
  listRooms();
}

/** Fetches the list of rooms; a server that refuses is asked only once. */
async function listRooms() {
  if (!client?.isOpen || !canList) return;
  let rooms;
  try {
    rooms = await client.listRooms();
  } catch (error) {
    if (error.code !== 'REFUSED') return;
    canList = false;
    return panel.showOpen(null);
  }
  for (const room of rooms) placeOf(room.roomId)?.learn(room);
  rememberRooms();
  panel.showOpen(rooms.filter(({roomId}) => !placeOf(roomId)?.isHere));
  showFacts();
}

setInterval(() => document.visibilityState === 'visible' && listRooms(), listEveryMs);

// ---- Sharing

/** Shares TransferData; `shown` is how the others see it. */
async function share(place, data, shown = data) {
  await client.share(place.roomId, data);
  if (place.mode !== 'live') return;
  // A live room sends it only to the others.
  place.receive({...readItem(shown), isOwn: true});
  if (place === current) list.show(place.items);
  showFacts();
}

async function shareFile(roomId, item) {
  const place = placeOf(roomId);
  if (!place) throw new Error('You have left the room.');
  await share(place, {type: 'file', fileId: item.fileId}, item);
}

find('composer').addEventListener('submit', async (event) => {
  event.preventDefault();
  find('text').focus();
  const text = find('text').value.trim();
  if (text === '') return;
  const isShared = await attempt(find('composer-problem'), () => share(current, {type: 'string', content: text}));
  if (isShared && find('text').value.trim() === text) find('text').value = '';
  fitText();
});
find('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  find('composer').requestSubmit();
});
find('text').addEventListener('input', fitText);

function fitText() {
  const {style} = find('text');
  style.height = 'auto';
  style.height = `${find('text').scrollHeight}px`;
}

takeFiles(
  {picker: find('picker'), button: find('attach'), target: find('place')},
  (files) => {
    find('composer-problem').textContent = '';
    uploads.add(files, current.roomId);
  },
  (why) => (find('composer-problem').textContent = why),
);

function showTray() {
  find('tray').hidden = uploads.count(current.roomId) + incoming.count(current.roomId) === 0;
}

// ---- Buttons of a place

function uploadsQuestion(verb) {
  const count = uploads.count(current.roomId);
  return count === 0 ? '' : `${verb}, and cancel ${count === 1 ? 'the upload' : `${count} uploads`}?`;
}

askTwice(
  find('delete-last'),
  () => 'Delete for everyone?',
  () => attempt(find('composer-problem'), () => client.deleteLast()),
);
askTwice(
  find('leave-room'),
  () => uploadsQuestion('Leave'),
  () => leave(current),
);
askTwice(
  find('close-room'),
  () => 'Close for everyone?',
  () => attempt(find('composer-problem'), () => client.closeRoom(current.roomId)),
);
find('rejoin').addEventListener('click', () => enterAgain(current));
find('recreate').addEventListener('click', async () => {
  const {roomId, mode, capacity} = current;
  try {
    await createNew({roomId, mode, capacity});
  } catch (error) {
    current.problem = error.message;
    showFacts();
  }
});
askTwice(
  find('forget'),
  () => uploadsQuestion('Take it off'),
  () => leave(current),
);
find('copy-link').addEventListener('click', () => copy(location.href, 'Link copied'));

/** The clipboard API exists only on pages with TLS and on localhost; the old way works everywhere. */
async function copy(text, said) {
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = element('textarea', {value: text, className: 'sr-only'});
    document.body.append(field);
    field.select();
    isCopied = document.execCommand('copy');
    field.remove();
  }
  find('copied').textContent = isCopied ? said : 'The browser does not let this page copy.';
  setTimeout(() => (find('copied').textContent = ''), isCopied ? 2_000 : 6_000);
}

function say(text) {
  find('news').textContent = text;
}

// ---- The picture at full size

function showPicture(item) {
  find('viewer-name').textContent = item.name;
  find('viewer-image').src = fileUrl(item);
  find('viewer-image').alt = item.name;
  Object.assign(find('viewer-download'), {href: fileUrl(item), download: item.name});
  find('viewer').showModal();
}

find('viewer-close').addEventListener('click', () => find('viewer').close());
find('viewer').addEventListener('click', ({target}) => target === find('viewer') && find('viewer').close());
find('viewer').addEventListener('close', () => find('viewer-image').removeAttribute('src'));

// ---- The list of places on small screens

function setMenu(isOpen) {
  find('app').classList.toggle('menu-open', isOpen);
  find('menu').setAttribute('aria-expanded', String(isOpen));
}

find('menu').addEventListener('click', () => setMenu(!find('app').classList.contains('menu-open')));
document.addEventListener('keydown', ({key}) => {
  if (key !== 'Escape' || !find('app').classList.contains('menu-open')) return;
  setMenu(false);
  find('menu').focus();
});
find('place').addEventListener('pointerdown', () => setMenu(false));

// ---- Connection

function connectionChanged({state, reason}) {
  const texts = {idle: 'Not connected', connecting: 'Connecting…', open: 'Connected', waiting: 'Reconnecting…'};
  find('status').dataset.state = state;
  find('status-text').textContent = texts[state] ?? reason ?? 'Not allowed in';
  find('retry').hidden = state !== 'waiting' && state !== 'refused';
  if (state === 'open') {
    for (const place of places) if (place.roomId !== null) enterAgain(place);
    return listRooms();
  }
  // After a reconnect we are a new connection to the server, and no longer a room's creator.
  for (const place of places) Object.assign(place, {isHere: false, members: null, isCreator: false});
  incoming.clear();
  showFacts();
}

find('retry').addEventListener('click', () => client.connect());
addEventListener('online', () => client?.status.state === 'waiting' && client.connect());

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  current.unread = 0;
  showFacts();
  listRooms();
});

// ---- Start: the rooms that this tab was in, and the one named in the address

function roomFromHash() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

function visitHash() {
  const roomId = roomFromHash();
  if (!placeOf(roomId)) addPlace(new Place(roomId));
  const place = placeOf(roomId);
  showPlace(place);
  if (client?.isOpen && !place.isHere && roomId !== null) enterAgain(place);
}

for (const {roomId, ...facts} of recall('tab', 'rooms', [])) addPlace(new Place(roomId, facts));
uploads.recall();
visitHash();
addEventListener('hashchange', visitHash);

if (typeof window.io === 'function') {
  client = new SharingClient(window.io);
  client.on('state', connectionChanged);
  client.on('publicHistory', publicHistory);
  client.on('roomData', received);
  client.on('roomClosed', closed);
  client.on('roomPresence', (change) => {
    placeOf(change.roomId)?.presenceChanged(change);
    showFacts();
  });
  client.on('roomEvent', ({roomId, event, payload}) => {
    if (event === 'upload_progress' && !uploads.isOwn(payload?.uploadId)) incoming.report(roomId, payload);
    if (event === 'upload_cancelled') incoming.remove(payload?.uploadId);
  });
  client.connect();
} else {
  find('status').dataset.state = 'refused';
  find('status-text').textContent = 'The server has no Socket.IO client: start it with --socketio-client';
}

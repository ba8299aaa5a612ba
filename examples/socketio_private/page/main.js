// The page of the private-messaging example. The server sends the users with `users`, then what changes; unread messages
// are counted here. `io` comes from /socket.io/socket.io.js, which is deferred as this module is, and runs before it.

const find = (id) => document.getElementById(id);
const users = new Map(); // by id: {userID, username, connected, messages, unread}
let ownId = null;
let partnerId = null;

// All tabs of this browser are the same user. The name makes a new user if the server no longer knows the session.
const remembered = () => JSON.parse(localStorage.getItem('private') ?? '{}');
const remember = (values) => localStorage.setItem('private', JSON.stringify({...remembered(), ...values}));

const socket = io({autoConnect: false, auth: (answer) => answer(remembered())});

// ---- What the server says

socket.on('connect', () => showStatus());
socket.on('disconnect', () => showStatus('offline'));
socket.on('connect_error', ({message}) => {
  if (socket.active) return showStatus('offline'); // it tries again by itself
  localStorage.removeItem('private');
  find('problem').textContent = message;
  showEntrance(true);
});

socket.on('session', ({sessionID, userID}) => {
  remember({sessionID});
  ownId = userID;
  showEntrance(false);
});

socket.on('users', (list) => {
  const known = new Map(users);
  users.clear();
  for (const user of list) {
    const before = known.get(user.userID);
    const missed = before ? user.messages.length - before.messages.length : 0;
    const unread = (before?.unread ?? 0) + (user.userID === partnerId ? 0 : Math.max(0, missed));
    users.set(user.userID, {...user, unread});
  }
  if (!users.has(partnerId)) partnerId = null;
  show();
});

socket.on('user connected', (user) => {
  const known = users.get(user.userID);
  users.set(user.userID, {unread: 0, ...known, ...user, messages: known?.messages ?? []});
  show();
});

socket.on('user disconnected', (userID) => {
  const user = users.get(userID);
  if (user) user.connected = false;
  show();
});

socket.on('private message', (message) => {
  const user = users.get(message.from === ownId ? message.to : message.from);
  if (!user) return;
  user.messages.push(message);
  const isSeen = user.userID === partnerId && document.visibilityState === 'visible';
  if (message.from !== ownId && !isSeen) user.unread++;
  show();
});

// ---- What the user does

find('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  find('problem').textContent = '';
  remember({username: find('username').value.trim()});
  socket.connect();
});

find('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const content = find('content').value.trim();
  if (!content || !socket.connected) return;
  const message = {from: ownId, to: partnerId, content};
  const {messages} = users.get(partnerId);
  find('content').value = '';
  messages.push(message);
  show();
  socket.timeout(10_000).emit('private message', {to: partnerId, content}, (late, answer) => {
    if (late || answer.error) message.problem = late ? 'This may not have arrived.' : `Not sent: ${answer.error}.`;
    show();
  });
});

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && partnerId) choose(partnerId);
});

function choose(userID) {
  partnerId = userID;
  users.get(userID).unread = 0;
  show();
}

// ---- What is shown

function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function userItem({userID, username, connected, unread}) {
  const button = element('button', {type: 'button', onclick: () => choose(userID)});
  button.append(
    element('span', {className: connected ? 'lamp on' : 'lamp'}),
    element('span', {className: 'name', dir: 'auto'}, username),
    element('span', {className: 'sr-only'}, connected ? 'online' : 'offline'),
  );
  if (unread) button.append(element('span', {className: 'unread', title: `${unread} unread`}, String(unread)));
  if (userID === partnerId) button.setAttribute('aria-current', 'true');
  button.dataset.user = userID;
  return element('li', {}, button);
}

function messageItem({from, content, problem}) {
  const item = element('li', {className: from === ownId ? 'own' : ''}, element('span', {dir: 'auto'}, content));
  if (problem) item.append(element('small', {}, problem));
  return item;
}

function show() {
  const others = [...users.values()].filter(({userID}) => userID !== ownId);
  others.sort((a, b) => b.connected - a.connected || a.username.localeCompare(b.username));
  const focused = document.activeElement?.dataset?.user;
  find('users').replaceChildren(...others.map(userItem));
  if (focused) find('users').querySelector(`[data-user="${focused}"]`)?.focus();
  find('alone').hidden = others.length > 0;

  find('self').textContent = users.get(ownId)?.username ?? '';
  const partner = users.get(partnerId);
  find('partner').textContent = partner?.username ?? 'Choose a user';
  find('composer').hidden = !partner;
  find('messages').replaceChildren(...(partner?.messages ?? []).map(messageItem));
  find('messages').scrollTop = find('messages').scrollHeight;

  const unread = others.reduce((sum, user) => sum + user.unread, 0);
  document.title = unread ? `(${unread}) Private messages` : 'Private messages';
}

function showStatus(text = '') {
  find('status').textContent = text;
}

function showEntrance(isShown) {
  find('enter').hidden = !isShown;
  find('app').hidden = isShown;
  if (isShown) find('username').focus();
}

if (remembered().sessionID) socket.connect();
else showEntrance(true);

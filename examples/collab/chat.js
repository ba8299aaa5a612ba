// The conversation: messages received, messages being sent, and scrolling back through the history.
//
// The user's own message is shown at once and marked as pending until the server confirms it. It carries a key made
// here in `metadata`, so that it is recognised when it arrives, also in the history after a lost connection; only
// messages that are not found there are sent again.

import {avatar, element} from './element.js';
import {recall, remember} from './memory.js';
import {personColor} from './palette.js';
import {randomId} from './random_id.js';

const pageSize = 50;
const pagesToClose = 20;
const nearEnd = 80; // pixels from the newest message that still count as being at the end
const groupMs = 5 * 60_000; // messages of one person within this time form a group
const ownIdsKept = 50;
const nameLength = 40;
const ownIdsKey = 'connections';

const timeFormat = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit'});
const dayFormat = new Intl.DateTimeFormat(undefined, {weekday: 'long', day: 'numeric', month: 'long'});

export class Chat {
  #room = null;
  #elements;
  #self;
  #personOf;
  #onMessage;
  #entries = [];
  #byKey = new Map();
  #sentKeys = new Set();
  #pending = new Map();
  #ownIds = new Set(recall('tab', ownIdsKey, []));
  #sequence = 0;
  #isHere = false;
  #visit = 0; // counts the rooms entered: a reply that belongs to an earlier one is ignored
  #isLoading = false;
  #atStart = false;

  /**
   * @param {{log: HTMLElement, list: HTMLElement, earlier: HTMLButtonElement, note: HTMLElement,
   *     latest: HTMLButtonElement,
   *     form: HTMLFormElement, input: HTMLTextAreaElement, news: HTMLElement}} elements
   * @param {() => {name: string, color: string}} self  the user
   * @param {(connectionId: string) => {name: string, color: string}|undefined} personOf  the members
   * @param {() => void} onMessage  called for every new message from somebody else
   */
  constructor(elements, self, personOf, onMessage) {
    this.#elements = elements;
    this.#self = self;
    this.#personOf = personOf;
    this.#onMessage = onMessage;
    this.#bind();
  }

  /**
   * We joined a room of flux.js: shows its history, or merges it if we were in that room before. `isUnknown`: the server
   * could not read it.
   */
  async joined(room, history, isUnknown = false) {
    this.#room = room;
    this.#ownIds.add(room.connectionId);
    remember('tab', ownIdsKey, [...this.#ownIds].slice(-ownIdsKept));
    const stored = history ?? [];
    const isFirst = this.#byKey.size === 0;
    const meets = isFirst || stored.length === 0 || stored.some((message) => this.#byKey.has(keyOf(message)));
    this.#isHere = true;
    this.#addAll(stored);
    if (isFirst) {
      this.#atStart = !isUnknown && (stored.length === 0 || stored[0].offset === 1);
      this.#scrollToEnd();
    }
    this.#showNotes();
    const waiting = [...this.#pending.values()].filter(({state}) => state === 'sending');
    if (!meets) await this.#closeGap(stored[0]);
    for (const entry of waiting) if (this.#pending.has(entry.key)) this.#deliver(entry);
  }

  /** The connection is lost; pending messages are kept. */
  lost() {
    this.#isHere = false;
    for (const entry of this.#pending.values()) this.#showState(entry);
  }

  /** The room changed: starts empty. */
  forget() {
    this.#isHere = false;
    this.#visit++;
    this.#entries = [];
    this.#byKey.clear();
    this.#sentKeys.clear();
    this.#pending.clear();
    this.#atStart = false;
    this.#elements.list.replaceChildren();
    this.#showNotes();
  }

  /** A `chat_message`. */
  receive(message) {
    const wasAtEnd = this.#isAtEnd();
    const entry = this.#add(message);
    if (!entry) return;
    if (!entry.isOwn) this.#announce(entry);
    if (wasAtEnd || entry.isOwn) this.#scrollToEnd();
    else this.#elements.latest.hidden = false;
    this.#showNotes();
  }

  /** A `chat_edited` or `chat_deleted`. */
  changed(message) {
    const entry = this.#byKey.get(keyOf(message));
    if (entry) this.#showText(entry, message);
  }

  #showText(entry, {message, editedAt, deletedAt}) {
    entry.text = deletedAt ? 'This message was deleted.' : message;
    const text = entry.node.querySelector('.text');
    text.textContent = entry.text;
    text.classList.toggle('deleted', Boolean(deletedAt));
    entry.node.querySelector('.edited').textContent = editedAt && !deletedAt ? 'edited' : '';
  }

  /**
   * Lets screen readers announce a new message. The list itself is not a live region: its history must not be read out.
   */
  #announce({name, text}) {
    this.#elements.news.textContent = `${name}: ${text}`;
    this.#onMessage();
  }

  /** Adds the messages that are missing; returns how many those were. Keeps the scroll position. */
  #addAll(messages) {
    const {log} = this.#elements;
    const fromEnd = log.scrollHeight - log.scrollTop;
    const added = messages.filter((message) => this.#add(message)).length;
    log.scrollTop = log.scrollHeight - fromEnd;
    return added;
  }

  /** Adds a stored message unless it is already listed. Returns its entry if it is new or was pending until now. */
  #add(message) {
    const key = keyOf(message);
    if (typeof message?.message !== 'string') return null;
    if (this.#byKey.has(key)) {
      this.changed(message); // it may have been edited while we were away
      return null;
    }
    // A message that was sent twice because its confirmation was lost is shown once.
    const sentKey = message.metadata?.key;
    if (typeof sentKey === 'string') {
      if (this.#sentKeys.has(sentKey)) return null;
      this.#sentKeys.add(sentKey);
    }
    const isOwn = this.#ownIds.has(message.connectionId);
    const pending = isOwn ? this.#pending.get(sentKey) : undefined;
    const entry = pending ?? {text: message.message, isOwn, sequence: ++this.#sequence};
    if (pending) {
      this.#pending.delete(sentKey);
      this.#entries.splice(this.#entries.indexOf(pending), 1);
    }
    // Other clients of the room need not put their name in each message.
    const sender = this.#personOf(message.connectionId);
    const name = String(message.metadata?.name ?? sender?.name ?? '');
    Object.assign(entry, {
      name: name.trim().slice(0, nameLength) || 'Guest',
      color: personColor(message.metadata?.color ?? sender?.color, message.connectionId),
      author: message.connectionId,
      offset: message.offset,
      createdAt: message.createdAt,
      isStored: true,
      state: isOwn ? 'sent' : '',
    });
    this.#byKey.set(key, entry);
    this.#place(entry);
    this.#showText(entry, message);
    return entry;
  }

  #place(entry) {
    let index = this.#entries.length;
    while (index > 0 && isAfter(this.#entries[index - 1], entry)) index--;
    this.#entries.splice(index, 0, entry);
    entry.node ??= makeNode(entry, () => this.#retry(entry));
    const next = this.#entries[index + 1]?.node ?? null;
    if (!entry.node.isConnected || entry.node.nextElementSibling !== next)
      this.#elements.list.insertBefore(entry.node, next);
    this.#showState(entry);
    this.#group(index);
    this.#group(index + 1);
  }

  /** Marks whether an entry begins a day, and whether it begins a person's group. */
  #group(index) {
    const entry = this.#entries[index];
    if (!entry) return;
    const before = this.#entries[index - 1];
    const day = dayOf(entry.createdAt);
    const startsDay = !before || dayOf(before.createdAt) !== day;
    const follows =
      !startsDay &&
      before.isOwn === entry.isOwn &&
      before.name === entry.name &&
      (entry.isOwn || before.author === entry.author) &&
      entry.createdAt - before.createdAt < groupMs;
    entry.node.classList.toggle('follows', follows);
    entry.node.querySelector('.day').textContent = startsDay ? day : '';
  }

  #showState(entry) {
    const {node, state, reason} = entry;
    node.dataset.state = state;
    const time = node.querySelector('time');
    time.dateTime = new Date(entry.createdAt).toISOString();
    time.textContent = timeFormat.format(entry.createdAt);
    node.querySelector('.state').textContent =
      state === 'failed' ? `Not sent. ${reason}` : state === 'sending' ? (this.#isHere ? 'Sending' : 'Waiting') : '';
    node.querySelector('.retry').hidden = state !== 'failed';
  }

  #say(text) {
    const entry = {
      text,
      isOwn: true,
      key: randomId(),
      ...this.#self(),
      createdAt: Date.now(),
      state: 'sending',
      isStored: false,
      sequence: ++this.#sequence,
    };
    this.#pending.set(entry.key, entry);
    this.#place(entry);
    this.#scrollToEnd();
    this.#showNotes();
    if (this.#isHere) this.#deliver(entry);
  }

  async #deliver(entry) {
    const {text, key, name, color} = entry;
    this.#showState(entry);
    try {
      await this.#room.chat(text, {key, name, color});
      if (this.#pending.has(key)) this.#setState(entry, 'sent');
    } catch (error) {
      // Without a connection it stays pending: `joined` looks for it in the history and sends it again if it is
      // missing.
      if (!this.#pending.has(key) || ['DISCONNECTED', 'CLOSED'].includes(error.code)) return;
      this.#setState(entry, 'failed', error.message);
    }
  }

  #retry(entry) {
    this.#setState(entry, 'sending');
    this.#elements.input.focus();
    if (this.#isHere) this.#deliver(entry);
  }

  #setState(entry, state, reason) {
    Object.assign(entry, {state, reason});
    this.#showState(entry);
  }

  async #loadEarlier() {
    const oldest = this.#entries.find(({isStored}) => isStored);
    if (!this.#isHere || this.#isLoading || this.#atStart || !oldest) return;
    const visit = this.#visit;
    this.#isLoading = true;
    this.#showNotes();
    try {
      const {messages: page} = await this.#room.history({limit: pageSize, before: oldest.offset});
      if (visit === this.#visit) this.#atStart = this.#addAll(page) === 0 || page[0].offset === 1;
    } catch {
      // The button stays; scrolling there again retries.
    }
    this.#isLoading = false;
    this.#showNotes();
  }

  /**
   * Fetches the messages we missed, backwards from `oldest` to the newest we know; if that is too far, drops the older
   * messages.
   */
  async #closeGap(oldest) {
    const known = new Set(this.#byKey.keys());
    const visit = this.#visit;
    try {
      for (let page = 0; page < pagesToClose; page++) {
        const {messages} = await this.#room.history({limit: pageSize, before: oldest.offset});
        if (visit !== this.#visit) return;
        this.#addAll(messages);
        if (messages.length === 0 || messages.some((message) => known.has(keyOf(message)))) return;
        oldest = messages[0];
      }
    } catch {
      if (visit !== this.#visit) return;
    }
    // A conversation with a gap must not look complete.
    this.#dropBefore(oldest.createdAt);
  }

  #dropBefore(time) {
    const kept = this.#entries.filter(({createdAt}) => createdAt >= time);
    for (const entry of this.#entries) if (!kept.includes(entry)) entry.node.remove();
    this.#entries = kept;
    for (const [key, entry] of this.#byKey) if (entry.createdAt < time) this.#byKey.delete(key);
    this.#atStart = false;
    this.#group(0);
    this.#showNotes();
  }

  #showNotes() {
    const {earlier, note} = this.#elements;
    earlier.hidden = this.#atStart || this.#byKey.size === 0;
    earlier.textContent = this.#isLoading ? 'Loading…' : 'Earlier messages';
    note.hidden = !this.#atStart && this.#entries.length > 0;
    note.textContent =
      this.#entries.length === 0 ? 'Nothing said yet. Say hello.' : 'This is where the conversation starts.';
  }

  #isAtEnd() {
    const {log} = this.#elements;
    return log.scrollHeight - log.scrollTop - log.clientHeight < nearEnd;
  }

  #scrollToEnd() {
    const {log, latest} = this.#elements;
    log.scrollTop = log.scrollHeight;
    latest.hidden = true;
  }

  #bind() {
    const {log, earlier, latest, form, input} = this.#elements;
    earlier.addEventListener('click', () => this.#loadEarlier());
    latest.addEventListener('click', () => this.#scrollToEnd());
    log.addEventListener('scroll', () => {
      if (log.scrollTop < 40 && log.scrollHeight > log.clientHeight + nearEnd) this.#loadEarlier();
      if (this.#isAtEnd()) latest.hidden = true;
    });
    let height = log.clientHeight;
    new ResizeObserver(() => {
      // If the log shrinks, for example when a phone's keyboard opens, keep the newest message in view.
      const wasAtEnd = log.scrollHeight - log.scrollTop - height < nearEnd;
      height = log.clientHeight;
      if (wasAtEnd) this.#scrollToEnd();
    }).observe(log);

    const fit = () => {
      input.style.height = 'auto';
      input.style.height = `${input.scrollHeight}px`;
    };
    input.addEventListener('input', fit);
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text === '') return;
      input.value = '';
      fit();
      input.focus();
      this.#say(text);
    });
  }
}

function makeNode({text, isOwn, name, color}, retry) {
  const retryButton = element('button', {type: 'button', className: 'retry', hidden: true}, 'Try again');
  retryButton.addEventListener('click', retry);
  return element(
    'li',
    {className: isOwn ? 'message own' : 'message', dataset: {color}},
    element('div', {className: 'day'}),
    avatar(name, color),
    element(
      'div',
      {className: 'said'},
      element(
        'div',
        {className: 'byline'},
        element('span', {className: 'author'}, isOwn ? 'You' : name),
        element('time'),
        element('span', {className: 'edited'}),
      ),
      element('p', {className: 'text', dir: 'auto'}, text),
      element('div', {className: 'fate'}, element('span', {className: 'state'}), retryButton),
    ),
  );
}

/** Ids may start over when a server without durable storage restarts, so the time is part of the key. */
function keyOf(message) {
  return `${message?.id}@${message?.createdAt}`;
}

/** Pending messages come last, in the order in which they were written. */
function isAfter(a, b) {
  if (a.isStored !== b.isStored) return b.isStored;
  if (a.isStored && a.createdAt !== b.createdAt) return a.createdAt > b.createdAt;
  if (a.isStored && a.offset !== b.offset) return a.offset > b.offset;
  return a.sequence > b.sequence;
}

function dayOf(time) {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return isToday ? 'Today' : dayFormat.format(time);
}

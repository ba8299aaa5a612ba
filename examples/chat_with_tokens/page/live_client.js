// The client side of the `live` protocol: JSON text frames `{type, payload}` over one WebSocket. This module handles
// the wire and knows nothing about the page. The page has it in place of flux.js because it shows each step of the renewal
// of a token, which flux.js does by itself.
//
//   const client = new LiveClient('wss://example.org/live');
//   client.on('room_joined', ({connectionId, presence, chatHistory}) => …);
//   client.on('chat_message', (message) => …);
//   client.join('lobby', {name: 'Ada', cursor: null});
//   client.connect();
//   await client.sendChat('hello');
//
// Frames from the server are passed to the handlers of their type, with their payload: `room_joined`,
// `presence_updated`, `broadcast_event`, `chat_message`, `chat_edited`, `chat_deleted`, `room_data`, `room_left`,
// `room_closed`, `access_expiring`, `error`. Two more come from the client itself: `state`, with a `Status`, and
// `join_failed`, with a `LiveError`.
//
// The client reconnects by itself, with a random delay that grows with each failure, so that the clients of a restarted
// server do not all return at once. It then rejoins its room with its newest presence, and `room_joined` follows as it
// did at first. It does not reconnect after the close codes below, because it would only be closed again. 4401: the server
// has refused this user.

const finalCodes = [1000, 1002, 1007, 1008, 1009, 4401];
const firstDelayMs = 400;
const longestDelayMs = 15_000;
const requestTimeoutMs = 10_000;

/**
 * @typedef {Object} Status
 * @property {'idle'|'connecting'|'open'|'waiting'|'refused'} state
 * @property {number} [retryAt]  in state `waiting`: when the next attempt starts, in milliseconds since 1970
 * @property {string} [reason]   in state `refused`: what the server said
 */

/**
 * A request that failed. `code` is the server's (`INVALID_MESSAGE`, …), `NOT_CONNECTED` if nothing was sent, or
 * `CONNECTION_LOST` or `TIMEOUT` if the request may or may not have been carried out.
 */
export class LiveError extends Error {
  constructor(code, message) {
    super(message || code);
    this.name = 'LiveError';
    this.code = code;
  }
}

export class LiveClient {
  #url;
  #socket = null;
  #status = {state: 'idle'};
  #handlers = new Map();
  #requests = new Map();
  #nextId = 1;
  #failures = 0;
  #retryTimer = 0;
  #wanted = false;
  #room = null;

  /**
   * @param {string|URL|(() => string|URL)} url  of the endpoint, `ws:` or `wss:`; a function is called for every
   *     connection, so that each shows the newest token (`?access_token=`)
   */
  constructor(url) {
    this.#url = typeof url === 'function' ? url : () => url;
  }

  /** @returns {Status} */
  get status() {
    return this.#status;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes handed to the browser and not sent yet; frequent senders should skip a turn while this is large. */
  get bufferedBytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Calls `handler(payload)` for every frame of that type. Returns a function that removes the handler. */
  on(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(handler);
    return () => this.#handlers.get(type).delete(handler);
  }

  /** Connects, and stays connected until `close()` or a refusal. */
  connect() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#failures = 0;
    addEventListener('online', this.#retryNow);
    document.addEventListener('visibilitychange', this.#retryWhenVisible);
    this.#open();
  }

  /** Closes the connection and forgets the room. */
  close() {
    this.#stop();
    this.#room = null;
    this.#socket?.close(1000);
    this.#detach();
    this.#setStatus({state: 'idle'});
  }

  /** Retries at once if the client is waiting for its next attempt. */
  retry() {
    if (this.#status.state !== 'waiting') return;
    clearTimeout(this.#retryTimer);
    this.#open();
  }

  /**
   * Makes `roomId` the current room, now or as soon as the connection is open, and again after every reconnect.
   * @param {string} roomId
   * @param {Object} presence  any JSON object; the others see it
   * @param {{name?: string, email?: string, accessToken?: string}} [identity]
   */
  join(roomId, presence, identity = {}) {
    this.#room = {roomId, presence, identity};
    if (this.isOpen) this.#sendJoin();
  }

  leave() {
    if (this.#room) this.#send('leave_room', {roomId: this.#room.roomId});
    this.#room = null;
  }

  /** Replaces the presence. The server relays the newest one at its own pace. */
  updatePresence(presence) {
    if (!this.#room) return;
    this.#room.presence = presence;
    this.#send('update_presence', {presence});
  }

  /** Sends `event` to the other members of the room. Returns whether it could be sent; there is no confirmation. */
  broadcast(event, payload) {
    return this.#send('broadcast_event', {event, payload});
  }

  /** Sends an event that the application consumes (`EventMessage::consume`). Resolves with its reply. */
  ask(event, payload) {
    return this.#request('broadcast_event', {event, payload});
  }

  /** Calls a method of the application (`Server::on_call`). Resolves with its reply. */
  call(method, payload) {
    return this.#request('call', {method, payload});
  }

  /**
   * Shows a new token before access ends (`access_expiring`), so that the connection stays open. Resolves when the server
   * has accepted it; rejects if it has not, and the old one still counts.
   */
  refresh(accessToken) {
    return this.#request('refresh', {accessToken});
  }

  /**
   * Resolves when the server has stored the message; everybody, the sender included, also receives it as
   * `chat_message`.
   */
  sendChat(message, metadata) {
    return this.#request('send_chat', {message, metadata});
  }

  /**
   * The newest `limit` stored messages before the one with the offset `before` (none: the newest of all), oldest first.
   * @returns {Promise<Array<Object>>}
   */
  async getHistory({limit, before} = {}) {
    const answer = await this.#request('get_history', {limit, before});
    return answer?.messages ?? [];
  }

  #open() {
    this.#setStatus({state: 'connecting'});
    const socket = new WebSocket(String(this.#url()));
    this.#socket = socket;
    socket.onopen = () => {
      this.#setStatus({state: 'open'});
      if (this.#room) this.#sendJoin();
    };
    socket.onmessage = ({data}) => this.#receive(data);
    socket.onclose = ({code, reason}) => {
      this.#detach();
      if (finalCodes.includes(code)) {
        this.#stop();
        this.#setStatus({state: 'refused', reason});
      } else {
        this.#retryLater();
      }
    };
  }

  /** Detaches the socket, so that nothing it still reports is attributed to the next one. */
  #detach() {
    if (this.#socket) this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket = null;
    for (const {reject, timer} of this.#requests.values()) {
      clearTimeout(timer);
      reject(new LiveError('CONNECTION_LOST', 'The connection was lost before the server answered.'));
    }
    this.#requests.clear();
  }

  #stop() {
    this.#wanted = false;
    clearTimeout(this.#retryTimer);
    removeEventListener('online', this.#retryNow);
    document.removeEventListener('visibilitychange', this.#retryWhenVisible);
  }

  #retryLater() {
    const ceiling = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(this.#failures++, 10));
    const delay = ceiling / 2 + Math.random() * (ceiling / 2);
    this.#retryTimer = setTimeout(() => this.#open(), delay);
    this.#setStatus({state: 'waiting', retryAt: Date.now() + delay});
  }

  #retryNow = () => {
    this.#failures = 0;
    this.retry();
  };

  #retryWhenVisible = () => {
    if (document.visibilityState === 'visible') this.#retryNow();
  };

  #sendJoin() {
    const {roomId, presence, identity} = this.#room;
    this.#request('join_room', {roomId, presence, ...identity}).catch((error) => {
      if (error.code !== 'CONNECTION_LOST') this.#emit('join_failed', error);
    });
  }

  #send(type, payload, id) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify({type, payload, id}));
    return true;
  }

  #request(type, payload) {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      if (!this.#send(type, payload, id)) {
        reject(new LiveError('NOT_CONNECTED', 'There is no connection.'));
        return;
      }
      const timer = setTimeout(() => {
        this.#requests.delete(id);
        reject(new LiveError('TIMEOUT', 'The server did not answer in time.'));
      }, requestTimeoutMs);
      this.#requests.set(id, {resolve, reject, timer});
    });
  }

  #receive(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (frame === null || typeof frame !== 'object') return;
    const {type, payload, id} = frame;
    const request = id === undefined ? undefined : this.#requests.get(id);
    if (request) {
      this.#requests.delete(id);
      clearTimeout(request.timer);
      if (type === 'error') request.reject(new LiveError(payload?.code, payload?.message));
      else request.resolve(payload);
      return;
    }
    // Joining a room is what resets the backoff: a connection that opens and is closed at once must not.
    if (type === 'room_joined') this.#failures = 0;
    this.#emit(type, payload);
  }

  #setStatus(status) {
    this.#status = status;
    this.#emit('state', status);
  }

  #emit(type, payload) {
    for (const handler of this.#handlers.get(type) ?? []) handler(payload);
  }
}

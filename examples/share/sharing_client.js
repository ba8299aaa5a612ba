// The client side of data sharing over Socket.IO: the public space and rooms. This module handles the wire and knows
// nothing about the page; it needs `io`, the function of socket.io-client.
//
//   const client = new SharingClient(io);
//   client.on('publicHistory', (items) => …);
//   client.on('roomData', (item, roomId) => …);
//   client.connect();
//   const items = await client.joinRoom('garden');
//   await client.share('garden', {type: 'string', content: 'hello'});
//
// Events: `state` (a `Status`), `publicHistory` (items), `roomData` (item, roomId), `roomEvent` ({roomId, event,
// payload}), `roomPresence` ({roomId, joined, left}), `roomClosed` ({roomId, reason}). After a lost connection the
// client reconnects by itself. Rejoining its rooms is left to the page, because a room may be closed or full by then.

const answerTimeoutMs = 10_000;

/**
 * @typedef {{state: 'idle'|'connecting'|'open'|'waiting'|'refused', reason?: string}} Status
 * @typedef {{roomId: string, mode: 'live'|'singleton'|'history', capacity: number, members: number}} RoomInfo
 */

/**
 * A request that failed. `code`: REFUSED, with the server's message; NOT_CONNECTED; or NO_ANSWER: it may have been
 * carried out.
 */
export class SharingError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'SharingError';
    this.code = code;
  }
}

export class SharingClient {
  #socket;
  #status = {state: 'idle'};
  #handlers = new Map();
  #rooms = new Set(); // the rooms we are in, in the order of joining

  /** @param {Function} io  of socket.io-client */
  constructor(io) {
    this.#socket = io({autoConnect: false, reconnectionDelay: 400, reconnectionDelayMax: 15_000});
    this.#bind();
  }

  /** @returns {Status} */
  get status() {
    return this.#status;
  }

  get isOpen() {
    return this.#socket.connected;
  }

  /** Calls `handler(...values)` for every event of that name. */
  on(name, handler) {
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    this.#handlers.get(name).add(handler);
  }

  /** Connects, or retries at once if the client is waiting for its next attempt. */
  connect() {
    this.#setStatus({state: 'connecting'});
    this.#socket.disconnect().connect();
  }

  /**
   * Creates a room and joins it.
   * @param {{roomId: string, capacity: number, mode: string}} room
   */
  async createRoom(room) {
    await this.#ask('room:create', room);
    await this.joinRoom(room.roomId);
  }

  /**
   * Joins a room. Resolves with what it keeps, oldest first: the reply has the newest items, the rest comes in pages.
   */
  async joinRoom(roomId) {
    let {data, more, before} = await this.#ask('room:join', roomId);
    this.#rooms.add(roomId);
    while (more) {
      const page = await this.#ask('room:history', roomId, {before});
      data = [...page.data, ...data];
      ({more, before} = page);
    }
    return Array.isArray(data) ? data : data ? [data] : [];
  }

  async leaveRoom(roomId) {
    await this.#ask('room:leave', roomId);
    this.#rooms.delete(roomId);
  }

  /** Closes a room for all its members; only its creator may. */
  async closeRoom(roomId) {
    await this.#ask('room:close', roomId);
  }

  /** The first rooms, in the order of their ids. @returns {Promise<RoomInfo[]>} */
  async listRooms() {
    return (await this.#ask('room:list')).rooms;
  }

  /** The connection ids of a room's members. */
  async members(roomId) {
    const ids = [];
    let page = {after: 0};
    do {
      page = await this.#ask('room:members', {roomId, after: page.after});
      ids.push(...page.members.map(({connectionId}) => connectionId));
    } while (page.more);
    return ids;
  }

  /**
   * Proves over HTTP that an upload is ours: `ticket` in tus's metadata. The room is told of the upload's progress;
   * with null the upload is for the public space.
   */
  async uploadTicket(roomId) {
    const asked = roomId === null ? this.#ask('public:uploadTicket') : this.#ask('room:uploadTicket', roomId);
    return (await asked).ticket;
  }

  /** Shares TransferData in a room or, with null, in the public space. */
  async share(roomId, data) {
    if (roomId === null) await this.#ask('public:upload', data);
    else await this.#ask('room:upload', {roomId, data});
  }

  /** Sends `event` with `payload` to the other members of a room, who receive it as `roomEvent`. */
  async tell(roomId, event, payload) {
    await this.#ask('room:event', {roomId, event, payload});
  }

  /** Removes the newest item from the public space. */
  async deleteLast() {
    await this.#ask('public:deleteLast');
  }

  async #ask(event, ...values) {
    if (!this.isOpen) throw new SharingError('NOT_CONNECTED', 'There is no connection.');
    let answer;
    try {
      answer = await this.#socket.timeout(answerTimeoutMs).emitWithAck(event, ...values);
    } catch {
      throw new SharingError('NO_ANSWER', 'The server did not answer. It may or may not have done it.');
    }
    if (answer?.success !== true) throw new SharingError('REFUSED', String(answer?.message || 'The server refused.'));
    return answer;
  }

  #bind() {
    const socket = this.#socket;
    socket.on('connect', () => this.#setStatus({state: 'open'}));
    socket.on('connect_error', ({message}) =>
      this.#setStatus(socket.active ? {state: 'waiting'} : {state: 'refused', reason: message}),
    );
    socket.on('disconnect', (reason) => {
      this.#rooms.clear();
      if (reason === 'io client disconnect') return;
      this.#setStatus(socket.active ? {state: 'waiting'} : {state: 'refused', reason: 'Disconnected by the server'});
    });
    socket.on('public:history', (items) => this.#emit('publicHistory', items));
    socket.on('room:data', (item, roomId) => this.#emit('roomData', item, this.#roomOf(roomId)));
    socket.on('room:event', (event) => this.#emit('roomEvent', event));
    socket.on('room:presence', (change) => this.#emit('roomPresence', change));
    socket.on('room:closed', (room) => {
      this.#rooms.delete(room.roomId);
      this.#emit('roomClosed', room);
    });
  }

  /** The server names the room only to clients that are in several. */
  #roomOf(roomId) {
    return roomId ?? this.#rooms.values().next().value;
  }

  #setStatus(status) {
    this.#status = status;
    this.#emit('state', status);
  }

  #emit(name, ...values) {
    for (const handler of this.#handlers.get(name) ?? []) handler(...values);
  }
}

// The client of a flux server: rooms, channels, shared state and calls over one connection that reconnects by itself.
// For browsers, workers and Node 20 (there with `new Flux(url, {WebSocket})` of the package ws). No dependencies.
//
//   const flux = new Flux('https://example.org', {token: async () => fetchToken()})
//   const news = flux.subscribe('news:today')
//   news.on('message', ({data}) => show(data))
//   await news.publish({title: 'rain'})
//
// Types and documentation: flux.d.ts.

/** `code`: the server's, or DISCONNECTED, TIMEOUT, UNREACHABLE, OUTBOX_FULL, CLOSED, UNAVAILABLE. */
export class FluxError extends Error {
  constructor(code, message, retryAfter) {
    super(message)
    this.name = 'FluxError'
    this.code = code
    this.retryAfter = retryAfter
  }
}

class Emitter {
  #listeners = new Map()
  /** Returns a function that removes the listener. */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(listener))
    return () => listeners.delete(listener)
  }
  emit(name, ...values) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(...values)
      } catch (error) {
        setTimeout(() => { throw error }) // reported as an uncaught error of the page; the other listeners are still called
      }
    }
  }
}

const defaults = {
  path: '/live',
  channelsPath: '/realtime',
  backoff: 500, // ms: the first pause before reconnecting is at most this; the bound doubles each time
  backoffMax: 30_000,
  timeout: 15_000, // of a request, including the check of the connection
  heartbeat: 20_000, // the connection is checked after this long without a message
  tokenPause: 5_000, // after the function for a channel's token failed
  outboxMax: 1_000, // unacknowledged messages
  sseAfter: 2, // failed attempts to open a WebSocket before channels fall back to server-sent events
  sseFor: 60_000, // between attempts to open a WebSocket after that
}

// Close codes after which reconnecting is pointless, see error.hpp. After 4401 a new token is tried.
const finalCodes = new Set([1000, 1002, 1007, 1008, 1009])

/** Not guessable by others. */
const randomId = () =>
  Array.from(globalThis.crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')

export class Flux extends Emitter {
  #options
  #base
  #socket = null
  #events = null // an EventSource
  #eventsRetry = null
  #streams = false // whether the EventSource is open
  #attempt = 0
  #failures = 0 // WebSockets in a row that failed to open
  #retry = null
  #beat = null
  #heard = 0
  #nextId = 1
  #pending = new Map() // requests by id
  #outbox = []
  #subscriptions = new Map()
  #rooms = new Map()
  #refused = false // the last token was refused

  constructor(url, options = {}) {
    super()
    this.#base = (url ?? globalThis.location?.origin ?? '').replace(/^ws/, 'http').replace(/\/$/, '')
    this.#options = {...defaults, WebSocket: globalThis.WebSocket, EventSource: globalThis.EventSource,
      fetch: globalThis.fetch?.bind(globalThis), ...options}
    /** 'connecting', 'open', 'events' (server-sent events: channels only), 'waiting' or 'closed'. */
    this.state = 'connecting'
    /** In state 'waiting', the time of the next attempt to connect. */
    this.retryAt = 0
    globalThis.addEventListener?.('online', this.#wake)
    globalThis.document?.addEventListener('visibilitychange', this.#wake)
    this.#connect()
  }

  // --- What pages use ---

  /** Subscribes to a channel or pattern. Returns the same object until the subscription ends. */
  subscribe(channel, options = {}) {
    const known = this.#subscriptions.get(channel)
    if (known) return known
    const made = new Subscription(this, channel, options)
    this.#subscriptions.set(channel, made)
    if (this.#socket && this.state === 'open') this.#subscribe(made)
    else if (this.state === 'events') this.#openEvents()
    return made
  }

  /** A room, joined or not. Returns the same object until the room is left. */
  room(id) {
    let room = this.#rooms.get(id)
    if (!room) this.#rooms.set(id, room = new Room(this, id))
    return room
  }

  /** Joins a room, and joins it again after each interruption. */
  async join(id, presence = {}, identity = {}) {
    const room = Object.assign(this.room(id), {presence, identity})
    if (this.state === 'open') await this.#join(room)
    return room
  }

  /** Calls a method of the application. */
  call(method, payload) { return this.request('call', {method, payload}) }

  /** Publishes once: the message is kept while disconnected, and sent again until it is acknowledged. */
  publish(channel, data) { return this.#send('channel_publish', {channel, data, key: randomId()}) }
  /** Publishes to all subscribers but this client. */
  broadcast(channel, data) { return this.#send('channel_broadcast', {channel, data, key: randomId()}) }

  /** Sends any request of protocol live. Rejects with a FluxError. */
  request(type, payload = {}) {
    return new Promise((resolve, reject) => this.#request(type, payload, resolve, reject))
  }
  /** Calls `resolve` before the next message of the server is handled. */
  #request(type, payload, resolve, reject) {
    if (this.state !== 'open') {
      const code = this.state === 'closed' ? 'CLOSED' : this.state === 'events' ? 'UNAVAILABLE' : 'DISCONNECTED'
      return reject(new FluxError(code, 'not connected'))
    }
    const id = this.#nextId++
    const timer = setTimeout(() => {
      this.#pending.delete(id)
      reject(new FluxError('TIMEOUT', `no answer to ${type}`))
    }, this.#options.timeout)
    this.#pending.set(id, {resolve, reject, timer})
    this.#socket.send(JSON.stringify({type, id, payload}))
  }

  /** Connects now if a reconnection is pending. */
  retry() {
    if (this.state !== 'waiting' && this.state !== 'events') return
    this.#attempt = 0
    this.#connect()
  }

  /** Closes the client, which cannot be used afterwards. */
  close() {
    if (this.state === 'closed') return
    this.#end(1000, 'closed by the page')
    this.#socket?.close(1000)
    this.#drop()
  }

  // --- The connection ---

  #become(state) {
    if (this.state === state || this.state === 'closed') return
    this.state = state
    this.emit('state', state)
  }

  #end(code, reason) {
    this.#become('closed')
    this.emit('closed', {code, reason})
    clearTimeout(this.#retry)
    this.#closeEvents()
    globalThis.removeEventListener?.('online', this.#wake)
    globalThis.document?.removeEventListener('visibilitychange', this.#wake)
    for (const {reject} of this.#outbox.splice(0)) reject(new FluxError('CLOSED', reason))
  }

  async #token() {
    const {token} = this.#options
    return typeof token === 'function' ? token() : token
  }

  async #connect() {
    clearTimeout(this.#retry)
    if (this.state === 'closed') return
    if (this.state !== 'events') this.#become('connecting')
    let token
    try {
      token = await this.#token()
    } catch (error) {
      this.emit('error', error)
      return this.#later()
    }
    if (this.state === 'closed') return
    const address = this.#base.replace(/^http/, 'ws') + this.#options.path +
      (token ? `?access_token=${encodeURIComponent(token)}` : '')
    let opened = false
    const socket = new this.#options.WebSocket(address)
    this.#socket = socket
    // If packets are dropped, the browser takes minutes to notice.
    const opening = setTimeout(() => this.#lose(socket, 1006, 'no connection in time', opened), this.#options.timeout)
    socket.onopen = () => {
      if (socket !== this.#socket) return socket.close()
      opened = true
      clearTimeout(opening)
      this.#failures = 0
      this.#closeEvents()
      this.#become('open')
      this.#listen()
      this.#resume()
    }
    socket.onmessage = ({data}) => {
      if (socket !== this.#socket) return
      this.#attempt = 0
      this.#refused = false
      this.#heard = Date.now()
      this.#take(JSON.parse(data))
    }
    socket.onerror = () => {} // onclose follows
    socket.onclose = ({code, reason}) => {
      clearTimeout(opening)
      this.#lose(socket, code, reason, opened)
    }
  }

  /** The connection was lost or abandoned. */
  #lose(socket, code, reason, opened) {
    if (socket !== this.#socket) return
    this.#drop()
    socket.onclose = null
    try {
      socket.close()
    } catch {} // it may not be open yet
    if (!opened) ++this.#failures
    // A token provider may return another token; but if the one refused was already a replacement, give up.
    const refused = code === 4401
    if (finalCodes.has(code) || (refused && (this.#refused || typeof this.#options.token !== 'function'))) {
      return this.#end(code, reason)
    }
    this.#refused = refused
    if (this.#failures >= this.#options.sseAfter && this.#options.EventSource) this.#fallBack()
    this.#later()
  }

  #drop() {
    this.#socket = null
    clearInterval(this.#beat)
    for (const {reject, timer} of this.#pending.values()) {
      clearTimeout(timer)
      reject(new FluxError('DISCONNECTED', 'the connection was lost'))
    }
    this.#pending.clear()
    for (const message of this.#outbox) if (!message.posted) message.sent = false
  }

  /** Full jitter, so that clients do not all reconnect in the same second after a restart. */
  #later() {
    if (this.state === 'closed') return
    const most = Math.min(this.#options.backoffMax, this.#options.backoff * 2 ** this.#attempt++)
    // If only WebSockets fail they are tried rarely; the open stream shows that the server can be reached.
    const pause = this.state === 'events' && this.#streams ? this.#options.sseFor : Math.random() * most
    this.retryAt = Date.now() + pause
    if (this.state !== 'events') this.#become('waiting')
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#connect(), pause)
  }

  /** The network is back, or the page is visible again. */
  #wake = () => {
    if (globalThis.document?.visibilityState === 'hidden') return
    if (this.state === 'open') this.#ask()
    else this.retry()
  }

  /** Pages can't send pings, so a request checks the connection. */
  #listen() {
    this.#heard = Date.now()
    clearInterval(this.#beat)
    this.#beat = setInterval(() => {
      if (Date.now() - this.#heard >= this.#options.heartbeat) this.#ask()
    }, Math.max(10, this.#options.heartbeat / 4))
  }
  #ask() {
    const socket = this.#socket
    this.request('channel_unsubscribe', {channel: '-'}).catch(({code}) => {
      if (code === 'TIMEOUT' && socket === this.#socket) this.#lose(socket, 1006, 'the server is silent', true)
    })
  }

  /** After a new connection was opened. */
  #resume() {
    for (const room of this.#rooms.values()) if (room.identity) this.#rejoin(room)
    for (const subscription of this.#subscriptions.values()) this.#subscribe(subscription)
    this.#flush()
  }

  // --- Messages ---

  #take({type, id, payload}) {
    if (type === 'ack' || (type === 'error' && id !== undefined) || (type === 'refreshed' && id !== undefined)) {
      const pending = this.#pending.get(id)
      if (!pending) return
      this.#pending.delete(id)
      clearTimeout(pending.timer)
      if (type === 'error') pending.reject(new FluxError(payload.code, payload.message, payload.retryAfter))
      else pending.resolve(payload)
      return
    }
    if (type === 'error') return this.emit('error', new FluxError(payload.code, payload.message, payload.retryAfter))
    if (type === 'access_expiring') return void this.#refresh()
    if (type.startsWith('channel_')) return this.#subscriptions.get(payload.pattern ?? payload.channel)?.take(type.slice(8), payload)
    const room = this.#rooms.get(payload?.roomId)
    if (room) room.take(type, payload)
    else this.emit(type, payload)
  }

  async #refresh() {
    try {
      const accessToken = await this.#token()
      if (accessToken) await this.request('refresh', {accessToken})
    } catch (error) {
      this.emit('error', error)
    }
  }

  // --- The outbox ---

  #send(type, payload) {
    if (this.state === 'closed') return Promise.reject(new FluxError('CLOSED', 'closed'))
    if (this.#outbox.length >= this.#options.outboxMax) {
      return Promise.reject(new FluxError('OUTBOX_FULL', `${this.#outbox.length} messages wait already`))
    }
    return new Promise((resolve, reject) => {
      this.#outbox.push({type, payload, resolve, reject, sent: false})
      this.#flush()
    })
  }

  #flush() {
    for (const message of this.#outbox) {
      if (message.sent) continue
      message.posted = this.state === 'events'
      const sent = this.state === 'open' ? this.request(message.type, message.payload)
        : message.posted && message.type === 'channel_publish' ? this.#post(message.payload) : null
      if (!sent) continue
      message.sent = true
      sent.then((answer) => this.#settle(message, () => message.resolve(answer)),
        (error) => this.#failed(message, error))
    }
  }
  #settle(message, tell) {
    const at = this.#outbox.indexOf(message)
    if (at >= 0) this.#outbox.splice(at, 1)
    tell()
  }
  /** Messages that may have arrived are sent again, with their keys; refused ones are not. */
  #failed(message, error) {
    if (error.code === 'DISCONNECTED') return // `#resume` will send it again
    const pause = {RATE_LIMITED: error.retryAfter ?? 1_000, OVERLOADED: 1_000, TIMEOUT: 0, UNREACHABLE: 2_000}[error.code]
    if (pause === undefined) return this.#settle(message, () => message.reject(error))
    setTimeout(() => {
      message.sent = false
      this.#flush()
    }, pause)
  }
  async #post(payload) {
    const token = await this.#token().catch(() => null)
    const answer = await this.#options.fetch(`${this.#base}${this.#options.channelsPath}/api/publish`, {
      method: 'POST',
      body: JSON.stringify(payload),
      headers: token ? {Authorization: `Bearer ${token}`} : {},
    }).catch((error) => { throw new FluxError('UNREACHABLE', error.message) })
    const body = await answer.json()
    if (!answer.ok) throw new FluxError(body.code, body.error, body.retryAfter)
    return body
  }

  // --- Channels ---

  async #subscribe(subscription) {
    const {channel, options} = subscription
    const socket = this.#socket
    const again = () => this.#has(subscription) && this.#subscribe(subscription)
    const payload = {channel, ...(options.state ? {state: true} : {})}
    if (options.token) {
      try {
        payload.accessToken = await (typeof options.token === 'function' ? options.token(channel) : options.token)
      } catch (error) {
        subscription.emit('error', error)
        setTimeout(() => socket === this.#socket && again(), this.#options.tokenPause)
        return
      }
      if (socket !== this.#socket || !this.#has(subscription)) return
    }
    Object.assign(payload, subscription.position)
    this.#request('channel_subscribe', payload, (answer) => subscription.subscribed(answer), (error) => {
      if (this.#repeats(socket, error, again)) return
      this.forget(subscription)
      subscription.emit('error', error)
      subscription.emit('unsubscribed', {reason: error.message})
    })
  }

  /** Subscribes again with a new token, because the old one has expired. */
  renew(subscription) { this.#subscribe(subscription) }

  /** Whether a failed request is repeated, on this connection or the next one. */
  #repeats(socket, {code, retryAfter}, again) {
    // It is unknown whether the server has carried it out; a new connection starts from a known state.
    if (code === 'TIMEOUT') this.#lose(socket, 1006, 'no answer in time', true)
    else if (code === 'OVERLOADED' || code === 'RATE_LIMITED') {
      setTimeout(() => socket === this.#socket && again(), retryAfter ?? 1_000)
    } else return code === 'DISCONNECTED'
    return true
  }

  /**
   * Reads the remaining pages of a list of `owner`. Calls `take` with each page before the next message of the server is handled.
   * Stops when the connection ends, because the next one begins with a new list.
   */
  readPages(owner, type, query, take) {
    const socket = this.#socket
    const read = (from) => {
      if (this.#has(owner)) this.readPages(owner, type, from, take)
    }
    this.#request(type, query, (page) => {
      take(page)
      if (page.more) read({...query, after: page.after})
    }, (error) => {
      if (!this.#repeats(socket, error, () => read(query)) && this.#has(owner)) owner.emit('error', error)
    })
  }

  /** Removes a subscription or room that has ended. */
  forget(ended) {
    if (this.#has(ended)) this.#listOf(ended).delete(ended.id ?? ended.channel)
    if (this.state === 'events') this.#openEvents()
  }
  #listOf(one) { return one instanceof Room ? this.#rooms : this.#subscriptions }
  #has(one) { return this.#listOf(one).get(one.id ?? one.channel) === one }

  // --- Server-sent events, where WebSockets fail ---

  #fallBack() {
    if (this.#subscriptions.size === 0 || this.state === 'closed') return
    this.#become('events')
    if (!this.#events) this.#openEvents()
    this.#flush()
  }
  async #openEvents() {
    this.#closeEvents()
    // A channel that needs a token of its own would make the server refuse them all.
    const readable = [...this.#subscriptions.values()].filter(({options}) => !options.token)
    if (readable.length === 0) return
    const token = await this.#token().catch(() => null)
    if (this.state !== 'events' || this.#events) return
    const query = new URLSearchParams()
    const ids = []
    for (const {channel, position} of readable) {
      query.append('channel', channel)
      if (position.epoch) ids.push(`${position.epoch}.${position.offset}`)
    }
    if (ids.length > 0) query.set('lastEventId', ids.join(','))
    if (token) query.set('access_token', token)
    const events = this.#events = new this.#options.EventSource(`${this.#base}${this.#options.channelsPath}/sse?${query}`)
    events.onopen = () => { this.#streams = true }
    events.onerror = () => {
      this.#streams = false
      if (events.readyState !== 2 || events !== this.#events) return // otherwise it reconnects by itself
      this.#closeEvents()
      this.#eventsRetry = setTimeout(() => this.state === 'events' && this.#openEvents(), this.#options.backoffMax / 4)
    }
    events.onmessage = ({data}) => {
      const {type, ...payload} = JSON.parse(data)
      const subscription = this.#subscriptions.get(payload.pattern ?? payload.channel)
      if (type === 'subscribed') subscription?.subscribed(payload)
      else subscription?.take(type, payload)
    }
  }
  #closeEvents() {
    clearTimeout(this.#eventsRetry)
    this.#events?.close()
    this.#events = null
  }

  // --- Rooms ---

  async #join(room) {
    const {id, presence, identity} = room
    const socket = this.#socket
    try {
      await this.request('join_room', {roomId: id, presence, ...identity})
    } catch (error) {
      if (this.#repeats(socket, error, () => this.#has(room) && this.#rejoin(room))) return
      this.forget(room)
      throw error
    }
  }
  #rejoin(room) { this.#join(room).catch((error) => room.emit('error', error)) }
}

/** A subscription to a channel or pattern. Events: subscribed, message, presence, state, error, unsubscribed. */
export class Subscription extends Emitter {
  #flux
  #present = null // the data shown in the presence; null: not present
  #bound = new Map() // entries that the server removes on disconnection; they are set again afterwards

  constructor(flux, channel, options) {
    super()
    this.#flux = flux
    this.channel = channel
    this.options = options
    this.position = options.position ?? {}
    /** With the option `state`: the entries {value, version, …} of the shared state by key. */
    this.state = new Map()
  }

  publish(data) { return this.#flux.publish(this.channel, data) }
  async broadcast(data) {
    const answer = await this.#flux.broadcast(this.channel, data)
    // The server never sends it to this client, so the position skips it.
    if (answer.epoch === this.position.epoch && answer.offset === this.position.offset + 1) {
      this.position = {epoch: answer.epoch, offset: answer.offset}
    }
    return answer
  }
  history(query = {}) { return this.#ask('history', query) }
  members(query = {}) { return this.#ask('presence', query) }

  /** Enters the presence, again after each interruption; or replaces the data shown there. */
  enter(data = {}) {
    this.#present = data
    return this.#ask('presence_join', {data})
  }
  leave() {
    this.#present = null
    return this.#ask('presence_leave')
  }

  async set(key, value, options = {}) {
    const answer = await this.#ask('state_set', {key, value, ...options})
    if (options.bound && answer.changed) this.#bound.set(key, {value, ...options, version: undefined})
    else if (answer.changed) this.#bound.delete(key)
    return answer
  }
  remove(key, options = {}) {
    this.#bound.delete(key)
    return this.#ask('state_remove', {key, ...options})
  }

  unsubscribe() {
    this.#flux.forget(this)
    return this.#ask('unsubscribe').catch(() => {})
  }

  #ask(what, payload = {}) { return this.#flux.request(`channel_${what}`, {channel: this.channel, ...payload}) }

  // For Flux.

  subscribed(answer) {
    const {epoch, offset, recovered, reason, state} = answer
    // If recovered, the missed publications follow, up to this position.
    if (epoch && recovered !== true) this.position = {epoch, offset}
    this.emit('subscribed', {recovered, reason})
    if (state) this.#takeSnapshot(state)
    if (this.#present !== null) this.enter(this.#present).catch((error) => this.emit('error', error))
    for (const key of this.#bound.keys()) this.#setBound(key)
  }
  #setBound(key) {
    const {value, ...options} = this.#bound.get(key)
    this.set(key, value, options).catch((error) => error.code === 'FORBIDDEN' || this.emit('error', error))
  }

  take(type, payload) {
    if (type === 'publish') {
      const {epoch, offset} = payload
      if (payload.pattern === undefined && epoch) {
        if (epoch === this.position.epoch && offset <= this.position.offset) return // a duplicate
        this.position = {epoch, offset}
      }
      this.emit('message', payload)
    } else if (type.startsWith('presence_')) {
      this.emit('presence', {type: type.slice(9), ...payload})
    } else if (type === 'state') {
      this.#change(payload)
    } else if (type === 'unsubscribed' && payload.code === 'UNAUTHORIZED' && typeof this.options.token === 'function') {
      this.#flux.renew(this)
    } else if (type === 'unsubscribed') {
      this.#flux.forget(this)
      this.emit('unsubscribed', payload)
    } else if (type === 'error') {
      this.emit('error', new FluxError(payload.code, payload.error, payload.retryAfter))
    }
  }

  #change = (entry) => {
    const {channel, key, removed, ...known} = entry
    if ((this.state.get(key)?.version ?? 0) >= entry.version) return
    if (removed) this.state.delete(key)
    else this.state.set(key, known)
    this.emit('state', entry)
    // The entry of this client's earlier connection, whose end the server has noticed only now.
    if (removed && this.#bound.has(key)) this.#setBound(key)
  }
  #takeSnapshot({entries, more, after}) {
    this.state.clear()
    for (const {key, ...entry} of entries) this.state.set(key, entry)
    this.emit('state', null)
    if (!more) return
    const query = {channel: this.channel, after}
    this.#flux.readPages(this, 'channel_state', query, (part) => part.entries.forEach(this.#change))
  }
}

/** A room. Events: joined, event, chat, presence, data, left, closed, error. */
export class Room extends Emitter {
  #flux

  constructor(flux, id) {
    super()
    this.#flux = flux
    this.id = id
    this.presence = {}
    this.identity = null // until the room is joined
    this.connectionId = null
    /** Entries {connectionId, userId?, presence, …} by connection. */
    this.members = new Map()
  }

  /** The members by user: two tabs of one user are one person. For the own user, returns the entry of this connection. */
  people(personOf = ({userId, connectionId}) => userId ?? connectionId) {
    const people = new Map()
    for (const entry of this.members.values()) {
      const person = personOf(entry)
      if (!people.has(person) || entry.connectionId === this.connectionId) people.set(person, entry)
    }
    return [...people.values()]
  }

  send(event, payload) { return this.#ask('broadcast_event', {event, payload}) }
  chat(message, metadata, messageId = randomId()) { return this.#ask('send_chat', {message, metadata, messageId}) }
  share(data) { return this.#ask('share', {data}) }
  history(query = {}) { return this.#ask('get_history', query) }
  update(presence) {
    this.presence = presence
    const own = this.members.get(this.connectionId) // the server notifies only the others
    if (own) own.presence = presence
    return this.#ask('update_presence', {presence})
  }
  leave() {
    this.#flux.forget(this)
    return this.#ask('leave_room').catch(() => {})
  }

  #ask(type, payload = {}) { return this.#flux.request(type, {roomId: this.id, ...payload}) }

  #addMembers = ({members}) => {
    const joined = members.filter(({connectionId}) => connectionId !== this.connectionId)
    for (const entry of joined) this.members.set(entry.connectionId, entry)
    this.emit('presence', {roomId: this.id, joined})
  }

  // For Flux.

  take(type, payload) {
    if (type === 'room_joined') {
      this.connectionId = payload.connectionId
      this.members = new Map(Object.entries(payload.presence))
      this.emit('joined', payload)
      const after = payload.presenceAfter // set if the message could not hold all members
      const query = {roomId: this.id, after, limit: 1000}
      if (after) this.#flux.readPages(this, 'get_presence', query, this.#addMembers)
    } else if (type === 'presence_updated') {
      for (const entry of [...(payload.joined ?? []), ...(payload.updated ?? [])]) this.members.set(entry.connectionId, entry)
      for (const id of payload.left ?? []) this.members.delete(id)
      this.emit('presence', payload)
    } else if (type === 'broadcast_event') {
      this.emit('event', payload)
    } else if (type.startsWith('chat_')) {
      this.emit('chat', {type, ...payload})
    } else if (type === 'room_data') {
      this.emit('data', payload)
    } else if (type === 'room_left' || type === 'room_closed') {
      this.#flux.forget(this)
      this.emit(type.slice(5), payload)
    } else {
      this.emit(type, payload)
    }
  }
}

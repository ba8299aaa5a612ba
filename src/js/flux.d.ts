// The types of flux.js, with the documentation of its interface.

export interface FluxOptions {
  /** The user's token, or a function that returns one: called for each connection, and before the grant expires. */
  token?: string | (() => string | null | undefined | Promise<string | null | undefined>)
  /** The path of protocol live ('/live'). */
  path?: string
  /** The path of the channels ('/realtime'), used for server-sent events. */
  channelsPath?: string
  /** The upper bound of the first random pause before reconnecting, in ms (500); it doubles up to `backoffMax` (30,000). */
  backoff?: number
  backoffMax?: number
  /** The time limit of a request, in ms (15,000). */
  timeout?: number
  /** After this long without a message, the client sends a request to check the connection, in ms (20,000). */
  heartbeat?: number
  /** The pause before the function that returns a channel's token is called again after an error, in ms (5,000). */
  tokenPause?: number
  /** The maximum number of publications that are pending (1,000). */
  outboxMax?: number
  /** After this many WebSockets in a row failed to open, channels fall back to server-sent events (2). */
  sseAfter?: number
  /** While server-sent events are used, the time between attempts to open a WebSocket, in ms (60,000). */
  sseFor?: number
  /** On Node 20: the WebSocket of the package ws. */
  WebSocket?: any
  EventSource?: any
  fetch?: any
}

export type State = 'connecting' | 'open' | 'events' | 'waiting' | 'closed'

export class FluxError extends Error {
  /**
   * One of the server's codes, or one of the client: DISCONNECTED, TIMEOUT, UNREACHABLE, OUTBOX_FULL, CLOSED, UNAVAILABLE (not
   * possible over server-sent events).
   */
  code: string
  /** How long to wait before trying again, in ms. */
  retryAfter?: number
}

declare class Emitter<Events> {
  /** Returns a function that removes the listener. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void
}

export interface Position {
  epoch?: string
  offset?: number
}

export interface Publication {
  channel: string
  /** The pattern, if the subscription is to one. */
  pattern?: string
  data: any
  clientId?: string
  userId?: string
  epoch?: string
  offset?: number
  /** Milliseconds since 1970. */
  timestamp: number
}

export interface Member {
  clientId: string
  userId?: string
  data: any
  joinedAt: number
  lastSeenAt: number
}

export interface StateEntry {
  value: any
  version: number
  /** The client whose disconnection removes the entry. */
  boundTo?: string
  expiresAt?: number
}

export class Flux extends Emitter<{
  state: State
  /** The client will not reconnect. `code`: the close code of the WebSocket. */
  closed: {code: number; reason: string}
  error: unknown
}> {
  /** Connects at once, and reconnects after each interruption. `url`: the server's (default: the page's origin). */
  constructor(url?: string, options?: FluxOptions)
  readonly state: State
  /** In state 'waiting', the time of the next attempt to connect: milliseconds since 1970. */
  readonly retryAt: number
  /**
   * `token`: a token for this channel alone, if the client's own does not allow it; a function is called again when the token
   * has expired. Not available over server-sent events.
   */
  subscribe(channel: string, options?: {
    state?: boolean
    position?: Position
    token?: string | ((channel: string) => string | Promise<string>)
  }): Subscription
  /**
   * A room, for adding listeners before it is joined. Returns the same object until the room is left or the server refuses it.
   */
  room(id: string): Room
  /**
   * Joins a room, and joins it again after each interruption; while disconnected, when the client is connected next. Rejects
   * if the server refuses it; if that happens later, the room emits `error`. `identity`: an access token that the server
   * verifies, or a name and address that it accepts as given.
   */
  join(id: string, presence?: object, identity?: {name?: string; email?: string; accessToken?: string}): Promise<Room>
  call(method: string, payload?: unknown): Promise<any>
  /**
   * Publishes once: the message is kept while disconnected, and is sent again with the same key until the server has
   * acknowledged it. A channel with a history stores it once. Messages that had to be sent again may change their order.
   */
  publish(channel: string, data: unknown): Promise<Position & {repeat?: true}>
  /** Publishes to all subscribers but this client. */
  broadcast(channel: string, data: unknown): Promise<Position & {repeat?: true}>
  /** Sends any request of protocol live. Rejects at once while disconnected. */
  request(type: string, payload?: object): Promise<any>
  /** In state 'waiting', connects now. */
  retry(): void
  close(): void
}

export class Subscription extends Emitter<{
  /** On each connection. `recovered` is false if publications were missed, see `reason`; undefined for a new subscription. */
  subscribed: {recovered?: boolean; reason?: string}
  message: Publication
  /** `first`: the user's first connection; `last`: the user's last one. A user may have several. */
  presence: Member & {type: 'join' | 'update' | 'leave'; channel: string; first?: true; last?: true}
  /** A changed entry of the shared state; null: the whole state was replaced. */
  state: ({key: string; removed?: true} & Partial<StateEntry> & {version: number; clientId?: string}) | null
  error: FluxError
  /** The subscription has ended: the server refused or ended it. */
  unsubscribed: {reason?: string}
}> {
  readonly channel: string
  /** The position of the newest publication received. */
  position: Position
  /** The shared state, with the option `state`. */
  readonly state: Map<string, StateEntry>
  publish(data: unknown): Promise<Position & {repeat?: true}>
  broadcast(data: unknown): Promise<Position & {repeat?: true}>
  history(query?: {limit?: number} & Position): Promise<Position & {publications: Publication[]; more?: true}>
  members(query?: {limit?: number; after?: number; counts?: boolean}):
    Promise<{clients: number; users: number; members?: Member[]; more?: true; after?: number}>
  /** Enters the channel's presence, again after each interruption; or replaces the data shown there. */
  enter(data?: unknown): Promise<void>
  leave(): Promise<void>
  /** `version`: only if the entry has this version (0: does not exist). `ttl`: in ms. `bound`: removed on disconnection. */
  set(key: string, value: unknown, options?: {version?: number; ttl?: number; bound?: boolean}):
    Promise<{changed: boolean; version: number}>
  remove(key: string, options?: {version?: number}): Promise<{changed: boolean; version: number}>
  unsubscribe(): Promise<void>
}

export interface RoomEntry {
  connectionId: string
  userId?: string
  name?: string
  presence: any
}

export class Room extends Emitter<{
  /** On each connection: the message `room_joined` of protocol live. */
  joined: any
  event: {roomId: string; connectionId: string; userId?: string; event: string; payload?: any}
  /** `type`: chat_message, chat_edited or chat_deleted. */
  chat: any
  presence: {joined?: RoomEntry[]; left?: string[]; updated?: RoomEntry[]}
  data: any
  left: {reason?: string}
  closed: {reason?: string}
  /** The room could not be joined again, and counts as left; or some of its members could not be read. */
  error: FluxError
}> {
  readonly id: string
  readonly connectionId: string | null
  /** All members. In a large room some arrive after `joined`, with `presence` events. */
  readonly members: Map<string, RoomEntry>
  presence: object
  /**
   * The members by user, so that two tabs of one user are one person: with the entry of this connection if it is among them,
   * otherwise with the first. `personOf`: what the entries of one person have in common (default: their `userId`).
   */
  people(personOf?: (entry: RoomEntry) => unknown): RoomEntry[]
  send(event: string, payload?: unknown): Promise<any>
  /**
   * `messageId`: pass it to send a message again after DISCONNECTED or TIMEOUT, when the server may or may not have stored it.
   * With the same id from the same user (or connection, if there is no user) it is stored and delivered once.
   */
  chat(message: string, metadata?: unknown, messageId?: string): Promise<any>
  share(data: object): Promise<any>
  history(query?: {limit?: number; before?: number}): Promise<any>
  update(presence: object): Promise<void>
  leave(): Promise<void>
}

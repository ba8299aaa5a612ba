// Types of flux.js, and what its members mean.

export interface FluxOptions {
  /** The token of the user, or a function that gets one: called for each connection, and before the grant expires. */
  token?: string | (() => string | null | undefined | Promise<string | null | undefined>)
  /** Where protocol live is served ('/live'). */
  path?: string
  /** Where channels are served ('/realtime'), for server-sent events. */
  channelsPath?: string
  /** The longest first pause before connecting again, in ms (500); it doubles up to `backoffMax` (30,000). */
  backoff?: number
  backoffMax?: number
  /** How long to wait for an answer, in ms (15,000). */
  timeout?: number
  /** After so much silence the server is asked whether it is there, in ms (20,000). */
  heartbeat?: number
  /** How long it waits after the function that gives a channel's token has failed, in ms (5,000). */
  tokenPause?: number
  /** The most messages that wait to be published (1,000). */
  outboxMax?: number
  /** After so many WebSockets that never opened, channels fall back to server-sent events (2). */
  sseAfter?: number
  /** Then a WebSocket is tried again after this, in ms (60,000). */
  sseFor?: number
  /** On Node 20: that of the package ws. */
  WebSocket?: any
  EventSource?: any
  fetch?: any
}

export type State = 'connecting' | 'open' | 'events' | 'waiting' | 'closed'

export class FluxError extends Error {
  /** A code of the server, or DISCONNECTED, TIMEOUT, UNREACHABLE, OUTBOX_FULL, CLOSED, UNAVAILABLE (over server-sent events). */
  code: string
  /** When to try again, in ms. */
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
  /** Of a subscription to a pattern. */
  pattern?: string
  data: any
  clientId?: string
  userId?: string
  epoch?: string
  offset?: number
  /** In ms since 1970. */
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
  /** The client with whose connection it ends. */
  boundTo?: string
  expiresAt?: number
}

export class Flux extends Emitter<{
  state: State
  /** Not to come back: the code of the WebSocket. */
  closed: {code: number; reason: string}
  error: unknown
}> {
  /** `url`: of the server (default: of the page). Connects at once, and again after each interruption. */
  constructor(url?: string, options?: FluxOptions)
  readonly state: State
  /** When it connects again, in state 'waiting': in ms since 1970. */
  readonly retryAt: number
  /**
   * `token`: for this channel alone, if the client's own does not allow it; a function is asked again when it has ended. Not
   * over server-sent events.
   */
  subscribe(channel: string, options?: {
    state?: boolean
    position?: Position
    token?: string | ((channel: string) => string | Promise<string>)
  }): Subscription
  /** A room: the same object until it is left, or its server refuses it. For listeners that are there before it is joined. */
  room(id: string): Room
  /**
   * Joins a room. While there is no connection it is joined on the next one, and so after each interruption. Rejects if the
   * server refuses it; if that happens later, the room has an `error`. `identity`: what the server verifies, or takes as
   * the client says it.
   */
  join(id: string, presence?: object, identity?: {name?: string; email?: string; accessToken?: string}): Promise<Room>
  call(method: string, payload?: unknown): Promise<any>
  /**
   * Publishes once: the message waits for a connection, and is repeated with the same key until the server has
   * acknowledged it. In a channel with a history it is stored once. Messages that had to be repeated may change their order.
   */
  publish(channel: string, data: unknown): Promise<Position & {repeat?: true}>
  /** The same to all but this client. */
  broadcast(channel: string, data: unknown): Promise<Position & {repeat?: true}>
  /** Any request of protocol live; rejects at once without a connection. */
  request(type: string, payload?: object): Promise<any>
  /** Connects now, if it waits to connect again. */
  retry(): void
  close(): void
}

export class Subscription extends Emitter<{
  /** On each connection. `recovered`: false: publications were missed, see `reason`; none: it is new. */
  subscribed: {recovered?: boolean; reason?: string}
  message: Publication
  /** `first` and `last`: the user, who may have several connections, came with this one and went with it. */
  presence: Member & {type: 'join' | 'update' | 'leave'; channel: string; first?: true; last?: true}
  /** An entry of the shared state has changed; null: all of it is new. */
  state: ({key: string; removed?: true} & Partial<StateEntry> & {version: number; clientId?: string}) | null
  error: FluxError
  /** It has ended: refused, or by the server. */
  unsubscribed: {reason?: string}
}> {
  readonly channel: string
  /** Of the newest publication that it has. */
  position: Position
  /** The shared state, with the option `state`. */
  readonly state: Map<string, StateEntry>
  publish(data: unknown): Promise<Position & {repeat?: true}>
  broadcast(data: unknown): Promise<Position & {repeat?: true}>
  history(query?: {limit?: number} & Position): Promise<Position & {publications: Publication[]; more?: true}>
  members(query?: {limit?: number; after?: number; counts?: boolean}):
    Promise<{clients: number; users: number; members?: Member[]; more?: true; after?: number}>
  /** Is present from now on, also after interruptions; or has new data. */
  enter(data?: unknown): Promise<void>
  leave(): Promise<void>
  /** `version`: only if the entry has this version (0: there is none). `ttl`: in ms. `bound`: ends with the connection. */
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
  /** On each connection: `room_joined` of protocol live, the whole state of the room. */
  joined: any
  event: {roomId: string; connectionId: string; userId?: string; event: string; payload?: any}
  /** `type`: chat_message, chat_edited or chat_deleted. */
  chat: any
  presence: {joined?: RoomEntry[]; left?: string[]; updated?: RoomEntry[]}
  data: any
  left: {reason?: string}
  closed: {reason?: string}
  /** It could not be joined again, and is left; or some of its members could not be read. */
  error: FluxError
}> {
  readonly id: string
  readonly connectionId: string | null
  /** All members; in a large room some are read after `joined`, and reported with `presence`. */
  readonly members: Map<string, RoomEntry>
  presence: object
  /**
   * The members by user: two tabs of one user are one person, with the entry of this connection or else of the first one.
   * `personOf`: what entries of one person have in common; their `userId`, by default.
   */
  people(personOf?: (entry: RoomEntry) => unknown): RoomEntry[]
  send(event: string, payload?: unknown): Promise<any>
  /**
   * `messageId`: to send a message again if it is not known whether the server has stored it (DISCONNECTED, TIMEOUT). With the
   * same id it is stored and heard once, as long as the user is the same; a client without a user: the connection.
   */
  chat(message: string, metadata?: unknown, messageId?: string): Promise<any>
  share(data: object): Promise<any>
  history(query?: {limit?: number; before?: number}): Promise<any>
  update(presence: object): Promise<void>
  leave(): Promise<void>
}

// Members that must not be affected by what another client does to the server. The server must send presence at once
// (`--presence-interval 0`), so that their frames have a fixed order.

import assert from 'node:assert/strict';

import {LiveMember} from './live_member.mjs';
import {RawPeer} from './raw_peer.mjs';

let rooms = 0;

export class Bystanders {
  #count = 0;
  /** The room of the client that misbehaves. */
  room = `near ${++rooms}`;

  /** One member in the room of the client that misbehaves, two in another. */
  static async gather(url) {
    const all = new Bystanders();
    const far = `far ${rooms}`;
    all.near = await LiveMember.join(url, all.room);
    all.far = await LiveMember.join(url, far);
    all.farther = await LiveMember.join(url, far);
    await all.far.next('presence_updated');
    return all;
  }

  /** Takes the presence of a client that has joined the near room. */
  async sees(connectionId) {
    const {payload} = await this.near.next('presence_updated');
    assert.deepEqual(
      payload.joined?.map((entry) => entry.connectionId),
      [connectionId],
    );
  }

  /** Takes the presence of a client that has left the near room. */
  async misses(connectionId) {
    const {payload} = await this.near.next('presence_updated');
    assert.deepEqual(payload, {roomId: this.room, left: [connectionId]});
  }

  /** Fails unless everything still works for them and no unexpected frame arrived. */
  async unharmed() {
    const count = ++this.#count;
    await this.far.request('broadcast_event', {event: 'check', payload: count});
    const event = await this.farther.next('broadcast_event');
    assert.equal(event.payload.payload, count);
    await this.near.request('send_chat', {message: `check ${count}`});
    const chat = await this.near.next('chat_message');
    assert.equal(chat.payload.message, `check ${count}`);
    for (const member of [this.near, this.far, this.farther]) await member.expectNothing();
  }

  close() {
    return Promise.all([this.near, this.far, this.farther].map((member) => member.close()));
  }
}

/**
 * Runs `misbehave(offender, bystanders)` with a member of the bystanders' room, which stays connected and works
 * afterwards.
 */
export async function staysConnected(server, misbehave) {
  const bystanders = await Bystanders.gather(server.url);
  const offender = await LiveMember.join(server.url, bystanders.room);
  await bystanders.sees(offender.id);
  await misbehave(offender, bystanders);
  await bystanders.unharmed();
  await offender.next('chat_message');
  await offender.expectNothing();
  await offender.close();
  await bystanders.misses(offender.id);
  await bystanders.unharmed();
  await bystanders.close();
}

/**
 * Runs `misbehave(peer)` with a raw WebSocket in the bystanders' room, and expects the server to close it with `code`.
 * Resolves with the reason.
 */
export async function isClosed(server, code, misbehave, fields) {
  const bystanders = await Bystanders.gather(server.url);
  const peer = await RawPeer.upgrade(server.port, '/live', fields);
  const {connectionId} = await peer.join(bystanders.room);
  await bystanders.sees(connectionId);
  await misbehave(peer);
  const closing = await peer.closing();
  assert.equal(closing.code, code, closing.reason);
  await bystanders.misses(connectionId);
  await bystanders.unharmed();
  await bystanders.close();
  return closing.reason;
}

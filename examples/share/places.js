// Where the user can share: the public space, and the rooms that they have joined.

const itemsMax = 500; // shown of a room that keeps nothing, or that keeps more

export const modeNames = {history: 'Keeps everything', singleton: 'Keeps the newest', live: 'Keeps nothing'};

export class Place {
  items = [];
  members = null; // connection ids, once known
  isHere = false;
  problem = '';
  unread = 0;

  /**
   * @param {string|null} roomId  null: the public space
   * @param {{mode?: string, capacity?: number, isCreator?: boolean}} facts
   */
  constructor(roomId, {mode, capacity, isCreator = false} = {}) {
    this.roomId = roomId;
    this.mode = mode;
    this.capacity = capacity;
    this.isCreator = isCreator;
  }

  get name() {
    return this.roomId ?? 'Public space';
  }

  /** Updates the place from its entry in the room list. */
  learn({mode, capacity}) {
    Object.assign(this, {mode, capacity});
    if (mode === 'singleton') this.items = this.items.slice(-1);
  }

  receive(item) {
    this.items = this.mode === 'singleton' ? [item] : [...this.items, item].slice(-itemsMax);
  }

  has(fileId) {
    return this.items.some((item) => item.fileId === fileId);
  }

  presenceChanged({joined, left}) {
    if (this.members === null) return;
    for (const {connectionId} of joined ?? []) this.members.add(connectionId);
    for (const connectionId of left ?? []) this.members.delete(connectionId);
  }

  /** A one-line description of the place. */
  facts() {
    if (this.roomId === null) return 'Everyone who is connected sees it';
    const people = this.members === null ? '' : String(this.members.size);
    const here = people && this.capacity ? `${people} of ${this.capacity} here` : people && `${people} here`;
    return [modeNames[this.mode], here].filter(Boolean).join(' · ');
  }

  /** What to show while the place is empty. */
  emptyText() {
    if (this.roomId === null) return 'Nothing shared yet. Write something, or drop a file here.';
    if (this.mode === 'live') return 'This room keeps nothing: what you share goes to who is here now.';
    if (this.mode === 'singleton') return 'Nothing yet. This room holds one item, always the newest.';
    return 'Nothing yet. Who comes later will see what you share now.';
  }
}

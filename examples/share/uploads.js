// The files uploaded from this page: their order, their rows with progress bars and buttons, and sharing them once they
// are complete.

import {element, iconButton} from './element.js';
import {randomId} from './random_id.js';
import {sizeText} from './size_text.js';
import {TusUpload} from './tus_upload.js';
import {recallUnfinished, recallUrl, rememberUnfinished, rememberUrl, uploadKey} from './upload_memory.js';

const atOnce = 2;

/**
 * A file being uploaded. State: queued, sending, waiting (for a retry), paused, sharing, unshared (complete, but its
 * room is out of reach), failed, or unfinished (from an earlier visit: the file must be chosen again).
 * @typedef {Object} Job
 */

export class Uploads {
  #list;
  #actions;
  #jobs = new Map(); // by uploadKey
  #shown = null;

  /**
   * @param {HTMLElement} list
   * @param {{ticket: (roomId: string|null) => Promise<string>, share: (roomId: string|null, item: Object) =>
   *     Promise<void>, isShared: (roomId: string|null, fileId: string) => boolean, choose: () => void, cancelled: (roomId:
   *     string|null, uploadId: string) => void, say: (text: string) => void, changed: () => void}} actions  `ticket`
   *     resolves with what proves the uploader to the server, '' if there is none; `share` is given StoredData;
   *     `choose` asks for a file; `say` lets a screen reader announce a text; `changed`: rows were added or removed
   */
  constructor(list, actions) {
    this.#list = list;
    this.#actions = actions;
  }

  /** Shows the uploads that were unfinished when this tab was left. */
  recall() {
    for (const facts of recallUnfinished()) this.#addJob(facts, 'unfinished');
  }

  /** Uploads files, to be shared in a room or, with null, in the public space. */
  add(files, roomId) {
    for (const file of files) {
      const key = uploadKey(file, roomId);
      const known = this.#jobs.get(key);
      const job = known ?? this.#addJob({key, roomId, name: file.name, size: file.size}, 'queued');
      job.file = file;
      if (known && ['paused', 'failed', 'unfinished'].includes(job.state)) this.#setState(job, 'queued');
    }
    this.#startNext();
  }

  /** Shows the rows of this place. */
  show(roomId) {
    this.#shown = roomId;
    for (const job of this.#jobs.values()) job.row.hidden = job.roomId !== roomId;
  }

  count(roomId) {
    return [...this.#jobs.values()].filter((job) => job.roomId === roomId).length;
  }

  /** Whether this page is uploading the file. */
  isOwn(uploadId) {
    return [...this.#jobs.values()].some((job) => job.uploadId === uploadId);
  }

  /** The room can be shared into, for the first time or again. */
  roomIsOpen(roomId) {
    for (const job of this.#jobs.values()) if (job.roomId === roomId && job.state === 'unshared') this.#share(job);
  }

  cancelAll(roomId) {
    for (const job of this.#jobs.values()) if (job.roomId === roomId) this.#cancel(job);
  }

  #addJob(facts, state) {
    const job = {uploadId: randomId(), ...facts, offset: 0, url: null};
    this.#jobs.set(job.key, job);
    this.#makeRow(job);
    this.#setState(job, state);
    this.#keep();
    return job;
  }

  #startNext() {
    const jobs = [...this.#jobs.values()];
    const busy = jobs.filter(({state}) => state === 'sending' || state === 'waiting').length;
    for (const job of jobs.filter(({state}) => state === 'queued').slice(0, Math.max(0, atOnce - busy)))
      this.#send(job);
  }

  async #send(job) {
    job.upload ??= new TusUpload(job.file, {
      endpoint: '/files',
      metadata: async () => ({
        filename: job.name,
        filetype: job.file.type,
        upload_id: job.uploadId,
        ticket: await this.#actions.ticket(job.roomId),
      }),
      url: recallUrl(job.key),
      onUrl: (url) => rememberUrl(job.key, url),
      onProgress: (offset) => {
        job.offset = offset;
        this.#setState(job, 'sending');
      },
      onWait: (reason) => this.#setState(job, 'waiting', `${reason} Trying again.`),
    });
    this.#setState(job, 'sending');
    try {
      await job.upload.run();
      this.#share(job);
    } catch (error) {
      if (error.name !== 'AbortError') this.#fail(job, error);
    }
    this.#startNext();
  }

  async #share(job) {
    const {roomId, name, size, file} = job;
    const fileId = fileIdOf(job.upload.url);
    this.#setState(job, 'sharing');
    try {
      if (!this.#actions.isShared(roomId, fileId))
        await this.#actions.share(roomId, {type: 'file', fileId, fileName: name, mimeType: file.type, size});
      this.#remove(job);
      this.#actions.say(`${name} is shared.`);
    } catch (error) {
      if (error.code === 'NOT_CONNECTED' || error.code === 'NO_ANSWER') this.#setState(job, 'unshared');
      else this.#fail(job, error);
    }
  }

  #fail(job, error) {
    this.#setState(job, 'failed', error.message);
  }

  #pause(job) {
    job.upload?.pause();
    this.#setState(job, 'paused');
    this.#startNext();
  }

  #resume(job) {
    if (job.state === 'unfinished') return this.#actions.choose();
    this.#setState(job, 'queued');
    this.#startNext();
  }

  async #cancel(job) {
    const upload = job.upload ?? new TusUpload(new Blob(), {endpoint: '/files', url: recallUrl(job.key)});
    const {url} = upload;
    try {
      await upload.cancel();
      this.#remove(job);
      if (url !== null) this.#actions.cancelled(job.roomId, job.uploadId);
    } catch (error) {
      this.#setState(job, 'failed', `It could not be cancelled. ${error.message}`);
    }
    this.#startNext();
  }

  #remove(job) {
    const hadFocus = job.row.contains(document.activeElement);
    rememberUrl(job.key, null);
    this.#jobs.delete(job.key);
    job.row.remove();
    this.#keep();
    if (hadFocus) this.#list.querySelector('li:not([hidden]) button:not([hidden])')?.focus();
  }

  #keep() {
    const facts = ({key, roomId, name, size, uploadId}) => ({key, roomId, name, size, uploadId});
    rememberUnfinished([...this.#jobs.values()].map(facts));
    this.#actions.changed();
  }

  #makeRow(job) {
    const {name, size} = job;
    job.bar = element('progress', {max: Math.max(size, 1), value: 0, attributes: {'aria-label': `Upload of ${name}`}});
    job.note = element('p', {className: 'facts upload-note'});
    job.problem = element('p', {className: 'problem', attributes: {role: 'alert'}});
    job.pause = iconButton('pause', `Pause ${name}`, () => this.#pause(job));
    job.resume = iconButton('resume', `Resume ${name}`, () => this.#resume(job));
    job.row = element(
      'li',
      {className: 'upload', hidden: job.roomId !== this.#shown},
      element('p', {className: 'upload-name', dir: 'auto', title: name}, name),
      job.note,
      job.pause,
      job.resume,
      iconButton('cancel', `Cancel ${name}`, () => this.#cancel(job)),
      job.bar,
      job.problem,
    );
    this.#list.append(job.row);
  }

  #setState(job, state, problem = '') {
    const {row, bar, note, pause, resume, offset, size} = job;
    job.state = row.dataset.state = state;
    const canPause = ['queued', 'sending', 'waiting'].includes(state);
    const canResume = ['paused', 'failed', 'unfinished'].includes(state);
    // The two buttons share one place, and with it the focus.
    const hadFocus = pause === document.activeElement || resume === document.activeElement;
    pause.hidden = !canPause;
    resume.hidden = !canResume;
    if (hadFocus) (canPause ? pause : canResume ? resume : row.querySelector('button:last-of-type')).focus();
    bar.value = size === 0 ? 1 : offset;
    const amount = `${sizeText(offset)} of ${sizeText(size)}`;
    const texts = {
      queued: 'Waits for its turn',
      paused: `Paused at ${amount}`,
      sharing: 'Sharing',
      unshared: 'Whole; shared when the room is open again',
      unfinished: `${sizeText(size)}. Choose the file again to go on`,
    };
    note.textContent = texts[state] ?? amount;
    if (job.problem.textContent !== problem) job.problem.textContent = problem;
  }
}

function fileIdOf(url) {
  return decodeURIComponent(new URL(url).pathname.split('/').pop());
}

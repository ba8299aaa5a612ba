// Uploads one file with tus 1.0 (https://tus.io/protocols/resumable-upload), in pieces. It can pause and resume, also
// after a lost connection, a restart of the server or, with a remembered `url`, on a later visit. This module handles
// the wire and knows nothing about the page; copy it into your own project.
//
//   const upload = new TusUpload(file, {endpoint: '/files', metadata: {filename: file.name}, onProgress: show});
//   const url = await upload.run();  // until the server has the whole file
//   upload.pause();                  // `run` rejects with an AbortError; calling it again resumes
//   await upload.cancel();           // the server deletes what it has
//
// Temporary failures (no connection, 409, 423, 429, most of 5xx) are retried after a random delay that grows, so that
// the clients of a restarted server do not all return at once. Each retry first asks the server how much it has. An
// upload that the server no longer knows (404, 410) starts over.

const firstDelayMs = 500;
const longestDelayMs = 15_000;
const stallMs = 30_000; // a request that makes no progress for this long is aborted
const answersTried = 8; // temporary refusals in a row before `run` rejects; lost connections do not count

/** The server refused, with its message, or the file can't be read. `status` is the HTTP status, or 0. */
export class TusError extends Error {
  name = 'TusError';
  status = 0;
  mayPass = false; // a retry may succeed
  retryAfterMs = 0; // the earliest time for a retry
}

/** No response: there is no connection, or it was lost. */
class Disconnected extends Error {}

export class TusUpload {
  #file;
  #options;
  #url;
  #offset = 0;
  #failures = 0;
  #stop = new AbortController();

  /**
   * @param {File|Blob} file
   * @param {Object} options
   * @param {string|URL} options.endpoint  where uploads are created
   * @param {Object<string, string>|(() => Promise<Object<string, string>>)} [options.metadata]  ASCII names; empty values
   *     are left out. A function is called whenever the upload is created
   * @param {string} [options.url]  of an earlier visit, to resume
   * @param {number} [options.pieceBytes]
   * @param {(url: string|null) => void} [options.onUrl]  the URL to remember; null: forget it
   * @param {(offset: number) => void} [options.onProgress]  bytes sent or stored
   * @param {(reason: string, delayMs: number) => void} [options.onWait]  the next attempt is in `delayMs`
   */
  constructor(file, options) {
    const ignore = () => {};
    this.#file = file;
    this.#options = {pieceBytes: 4 * 1024 * 1024, onUrl: ignore, onProgress: ignore, onWait: ignore, ...options};
    this.#url = options.url ?? null;
  }

  /** The upload's URL, once the server has created it. */
  get url() {
    return this.#url;
  }

  /** Resolves with the upload's URL when the server has the whole file. Only one call at a time. */
  async run() {
    const {signal} = (this.#stop = new AbortController());
    this.#failures = 0;
    for (let isOffsetKnown = false; ;) {
      try {
        if (!isOffsetKnown) await this.#locate(signal);
        isOffsetKnown = true;
        if (this.#offset === this.#file.size) return this.#url;
        await this.#sendPiece(signal);
      } catch (error) {
        isOffsetKnown = false;
        await this.#waitAfter(error, signal);
      }
    }
  }

  pause() {
    this.#stop.abort();
  }

  /** Pauses, and has the server delete the upload. Errors: TusError if it does not. */
  async cancel() {
    this.pause();
    if (this.#url === null) return;
    const answer = await this.#request('DELETE', this.#url);
    if (answer.status !== 204 && !isGone(answer)) throw refusal(answer);
    this.#setUrl(null);
  }

  /** Asks how much the server has; creates the upload if the server does not have it. */
  async #locate(signal) {
    if (this.#url !== null) {
      const answer = await this.#request('HEAD', this.#url, {signal});
      const offset = wholeNumber(answer.header('Upload-Offset'));
      const isOurs = wholeNumber(answer.header('Upload-Length')) === this.#file.size;
      if (answer.ok && isOurs && offset <= this.#file.size) return this.#reach(offset);
      if (!answer.ok && !isGone(answer)) throw refusal(answer);
      this.#setUrl(null);
    }
    const {metadata = {}} = this.#options;
    const said = encodeMetadata(typeof metadata === 'function' ? await metadata() : metadata);
    const headers = {'Upload-Length': this.#file.size, 'Upload-Metadata': said};
    const answer = await this.#request('POST', this.#options.endpoint, {headers, signal});
    const location = answer.header('Location');
    if (answer.status !== 201 || !location) throw refusal(answer);
    this.#setUrl(new URL(location, new URL(this.#options.endpoint, document.baseURI)).href);
    this.#offset = 0;
    this.#options.onProgress(0);
  }

  async #sendPiece(signal) {
    const begin = this.#offset;
    const slice = this.#file.slice(begin, begin + this.#options.pieceBytes);
    const body = await slice.arrayBuffer().catch(() => {
      throw new TusError('The file can no longer be read: it was changed, moved or deleted.');
    });
    signal.throwIfAborted();
    const headers = {'Upload-Offset': begin, 'Content-Type': 'application/offset+octet-stream'};
    const onProgress = (sent) => this.#options.onProgress(begin + sent);
    const answer = await this.#request('PATCH', this.#url, {headers, body, signal, onProgress});
    if (isGone(answer)) this.#setUrl(null);
    const offset = wholeNumber(answer.header('Upload-Offset'));
    if (!answer.ok || !(offset > begin && offset <= this.#file.size)) throw refusal(answer);
    this.#reach(offset);
  }

  #reach(offset) {
    if (offset > this.#offset) this.#failures = 0;
    this.#offset = offset;
    this.#options.onProgress(offset);
  }

  /** Waits if a retry may succeed; otherwise throws the error. */
  async #waitAfter(error, signal) {
    signal.throwIfAborted();
    this.#failures++;
    const mayPass = error.mayPass && this.#failures < answersTried;
    if (!(error instanceof Disconnected) && !mayPass) throw error;
    const ceiling = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(this.#failures - 1, 10));
    const delayMs = Math.max(ceiling / 2 + Math.random() * (ceiling / 2), error.retryAfterMs ?? 0);
    this.#options.onWait(error.message, delayMs);
    await new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        removeEventListener('online', end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, delayMs);
      addEventListener('online', end);
      signal.addEventListener('abort', end);
    });
    signal.throwIfAborted();
  }

  #setUrl(url) {
    this.#url = url;
    this.#options.onUrl(url);
  }

  /** XMLHttpRequest reports how much of a body has been sent, `fetch` does not. */
  #request(method, url, {headers = {}, body = null, signal, onProgress} = {}) {
    return new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest();
      let stall = 0;
      const watch = () => {
        clearTimeout(stall);
        stall = setTimeout(() => xhr.abort(), stallMs);
      };
      const abort = () => xhr.abort();
      xhr.open(method, url);
      for (const [name, value] of Object.entries({'Tus-Resumable': '1.0.0', ...headers}))
        if (value !== '') xhr.setRequestHeader(name, value);
      xhr.upload.onprogress = ({loaded}) => {
        watch();
        onProgress?.(loaded);
      };
      xhr.onloadend = () => {
        clearTimeout(stall);
        signal?.removeEventListener('abort', abort);
        if (signal?.aborted) return reject(signal.reason);
        if (xhr.status === 0) return reject(new Disconnected('The connection was lost.'));
        const ok = xhr.status >= 200 && xhr.status < 300;
        resolve({
          method,
          ok,
          status: xhr.status,
          text: xhr.responseText,
          header: (name) => xhr.getResponseHeader(name),
        });
      };
      signal?.addEventListener('abort', abort);
      watch();
      xhr.send(body);
    });
  }
}

const isGone = ({method, status}) => method !== 'POST' && (status === 404 || status === 410);

/** Whether a refusal is temporary. A deleted upload counts: it is created anew. A full disk (507) does not. */
const mayPass = (answer) => isGone(answer) || [408, 409, 423, 425, 429, 500, 502, 503, 504].includes(answer.status);

function refusal(answer) {
  const {method, status, text, header} = answer;
  const isText = header('Content-Type')?.startsWith('text/plain') && text.trim() !== '';
  const error = new TusError(isText ? text.trim().slice(0, 300) : `The server answered ${status} to ${method}.`);
  const retryAfterMs = (wholeNumber(header('Retry-After')) || 0) * 1000;
  return Object.assign(error, {status, mayPass: mayPass(answer), retryAfterMs});
}

/** The value of a header field that is a number; NaN if it is not. */
function wholeNumber(text) {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : NaN;
}

function encodeMetadata(metadata) {
  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  return Object.entries(metadata)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name} ${base64(value)}`)
    .join(',');
}

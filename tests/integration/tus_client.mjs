// tus-js-client, the tus client that most pages use, in Node and in Chromium. Run with plain `node`.
//
// FLUX_FILE_SERVER  the program of tests/support/file_server.cpp; required
// CHROMIUM          the browser; default /usr/bin/chromium

import assert from 'node:assert/strict';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import http from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {after, before, describe, test} from 'node:test';

import {startBrowser} from './support/browser.mjs';
import {ask, checksum, offsetOf, randomBytes, sha256} from './support/files.mjs';
import {load, pathIn} from './support/packages.mjs';
import {startServer} from './support/server_program.mjs';
import {until, within} from './support/wait.mjs';

const client = load('tus-js-client');
const fileBytesMax = 2_000_000;
let folder;
let server;

const start = (...options) =>
  startServer(process.env.FLUX_FILE_SERVER, ['--max-file-size', String(fileBytesMax), ...options]);

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flux-tus-client-'));
  server = await start('--dir', join(folder, 'store'));
});
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});

/** An upload that has not been started. */
const upload = (content, options) =>
  new client.Upload(content, {
    endpoint: `${server.url}files`,
    retryDelays: [0, 50, 100, 200, 400, 800],
    ...options,
  });

/** Starts it; resolves when it is done, or rejects with the client's error. */
function finish(begun) {
  const ended = new Promise((resolve, reject) => Object.assign(begun.options, {onSuccess: resolve, onError: reject}));
  begun.start();
  return within(ended, 'the end of the upload');
}

/** Starts it and aborts it after its first chunk. */
function abortAfterChunk(begun, terminate) {
  const aborted = new Promise((resolve, reject) => {
    const onChunkComplete = () => begun.abort(terminate).then(resolve, reject);
    Object.assign(begun.options, {onChunkComplete, onError: reject});
  });
  begun.start();
  return within(aborted, 'the end of the first chunk');
}

const pathOf = (begun) => new URL(begun.url).pathname;

/** Uploads it; resolves with its path. */
async function put(content, options) {
  const begun = upload(content, options);
  await finish(begun);
  return pathOf(begun);
}

const down = (path) => ask(server.port, 'GET', path);

/** The client's error: the server's response. It must have asked only once, as a retry would not help. */
async function refusal(content, options) {
  let requests = 0;
  const refused = await put(content, {...options, onBeforeRequest: () => void ++requests}).then(
    () => assert.fail('it was not refused'),
    (error) => error,
  );
  assert.equal(requests, 1);
  const answer = refused.originalResponse;
  assert.ok(answer, String(refused));
  return {status: answer.getStatus(), text: answer.getBody()};
}

describe('in Node', () => {
  const content = randomBytes(1_000_000);

  for (const [name, options] of [
    ['in one request', {}],
    ['in chunks', {chunkSize: 300_000}],
    ['in chunks that end with the file', {chunkSize: 250_000}],
    ['with data in the creation', {uploadDataDuringCreation: true}],
    ['with data in the creation, in chunks', {uploadDataDuringCreation: true, chunkSize: 300_000}],
    ['with POST instead of PATCH', {overridePatchMethod: true, chunkSize: 300_000}],
    ['with request ids', {addRequestId: true}],
  ]) {
    test(`${name}: it is downloaded as it was uploaded`, async () => {
      let told = 0;
      const path = await put(content, {...options, onProgress: (sent) => (told = sent)});
      assert.equal(told, content.length);
      assert.equal(sha256((await down(path)).body), sha256(content));
    });
  }

  for (const [name, size] of [
    ['whose last chunk is short', 1_000_000],
    ['whose last chunk is full', 900_000],
  ]) {
    test(`a stream of unknown length ${name}`, async () => {
      const bytes = content.subarray(0, size);
      const path = await put(Readable.from([bytes]), {uploadLengthDeferred: true, chunkSize: 300_000});
      assert.equal(sha256((await down(path)).body), sha256(bytes));
    });
  }

  test('behind a proxy that strips a prefix: the upload continues where it was created', async () => {
    const inside = '/files';
    for (const [options, outside] of [
      [{}, '/rt/deep/files'],
      [{uploadDataDuringCreation: true, chunkSize: 300_000}, '/a b/files'],
    ]) {
      const seen = [];
      const proxy = http.createServer((request, answer) => {
        seen.push(request.url);
        const path = decodeURIComponent(request.url).replace(outside, inside);
        const {method, headers} = request;
        const onward = http.request({host: '127.0.0.1', port: server.port, method, path, headers}, (reply) => {
          answer.writeHead(reply.statusCode, reply.headers);
          reply.pipe(answer);
        });
        onward.on('error', () => answer.destroy());
        request.pipe(onward);
      });
      await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      const base = `http://127.0.0.1:${proxy.address().port}`;
      const begun = upload(content, {endpoint: `${base}${encodeURI(outside)}`, ...options});
      await finish(begun);
      assert.ok(seen.every((url) => decodeURIComponent(url).startsWith(outside)), `${seen}`);
      assert.ok(begun.url.startsWith(`${base}${encodeURI(outside)}/`), begun.url);
      const path = decodeURIComponent(new URL(begun.url).pathname).replace(outside, inside);
      assert.equal(sha256((await down(path)).body), sha256(content));
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    }
  });

  test('a name in any script, and metadata without a value', async () => {
    const filename = 'naïve “файл” 日本 😀.txt';
    const path = await put(content, {metadata: {filename, filetype: 'text/plain', empty: '', last: ''}});
    const {headers} = await down(path);
    assert.equal(decodeURIComponent(headers['content-disposition'].split("UTF-8''")[1]), filename);
    assert.equal(headers['content-type'], 'text/plain');
  });

  test('an empty file, and one of exactly the limit', async () => {
    assert.equal((await down(await put(Buffer.alloc(0)))).body.length, 0);
    const largest = randomBytes(fileBytesMax);
    assert.equal(sha256((await down(await put(largest))).body), sha256(largest));
  });

  test('one byte over the limit: one refusal, which names the limit', async () => {
    const {status, text} = await refusal(Buffer.alloc(fileBytesMax + 1));
    assert.equal(status, 413);
    assert.match(text, /at most 2000000 bytes here, not 2000001/);
  });

  test('in parallel parts, which are not supported: refused at once, and nothing is left behind', async () => {
    const stored = () => readdirSync(join(folder, 'store')).length;
    const files = stored();
    const parallel = put(content, {parallelUploads: 2, retryDelays: null});
    const error = await parallel.then(() => assert.fail('it was not refused'), String);
    assert.match(error, /response code: 400, response text: Upload-Concat is not supported: .*parallelUploads: 1/);
    assert.equal(stored(), files);
  });

  for (const protocol of ['ietf-draft-03', 'ietf-draft-05']) {
    test(`${protocol}, which is not supported: refused before any byte is sent`, async () => {
      const {status, text} = await refusal(content, {protocol});
      assert.equal(status, 400);
      assert.match(text, /tus 1\.0\.0/);
    });
  }

  test('checksums that a caller adds: the right one passes, a wrong one is refused and does not count', async () => {
    const withChecksum = (of) => ({
      chunkSize: content.length,
      onBeforeRequest: (request) => {
        if (request.getMethod() === 'PATCH') request.setHeader('Upload-Checksum', checksum('sha1', of));
      },
    });
    assert.equal((await down(await put(content, withChecksum(content)))).status, 200);
    const wrong = upload(content, {...withChecksum('other'), retryDelays: null});
    await assert.rejects(finish(wrong), /response code: 460/);
    assert.equal(await offsetOf(server.port, pathOf(wrong)), 0);
  });

  test('aborted after a chunk: another client finds it, sends only the rest, and forgets it at the end', async () => {
    const urlStorage = new client.FileUrlStorage(join(folder, 'urls.json'));
    const fingerprint = async () => 'the same file';
    const options = {chunkSize: 300_000, urlStorage, fingerprint, removeFingerprintOnSuccess: true};
    const first = upload(content, options);
    await abortAfterChunk(first);
    let sent = 0;
    const second = upload(content, {...options, onChunkComplete: (size) => (sent += size)});
    const [previous] = await second.findPreviousUploads();
    second.resumeFromPreviousUpload(previous);
    await finish(second);
    assert.equal(second.url, first.url);
    assert.equal(sent, 700_000);
    assert.equal(sha256((await down(pathOf(second))).body), sha256(content));
    await until(async () => (await second.findPreviousUploads()).length === 0, 'the end of what was stored of it');
  });

  test('terminated while it runs: it no longer exists', async () => {
    const begun = upload(content, {chunkSize: 300_000});
    await abortAfterChunk(begun, true);
    assert.equal(await offsetOf(server.port, pathOf(begun)), undefined);
  });

  test('an upload that the server no longer has: the client starts over', async () => {
    const uploadUrl = `${server.url}files/6a9d2a60-3f0a-4d5e-9c36-0123456789ab`;
    const path = await put(content, {uploadUrl});
    assert.notEqual(path, new URL(uploadUrl).pathname);
    assert.equal(sha256((await down(path)).body), sha256(content));
  });

  test('the server is killed in the middle and restarted: the client continues by itself', async () => {
    const own = join(folder, 'restarted');
    let mortal = await start('--dir', own);
    const {port} = mortal;
    let chunks = 0;
    let restarted;
    const begun = upload(content, {
      endpoint: `${mortal.url}files`,
      chunkSize: 100_000,
      retryDelays: [0, 50, 100, 200, 400, ...Array(20).fill(1_000)], // a restart may take that long
      onChunkComplete: () => {
        if (++chunks !== 4) return;
        restarted = mortal.kill().then(async () => (mortal = await start('--dir', own, '--port', String(port))));
      },
    });
    await finish(begun);
    await restarted;
    assert.ok(chunks === 10 || chunks === 9, `${chunks}`); // the fifth may have arrived without its response
    assert.equal(sha256((await ask(port, 'GET', pathOf(begun))).body), sha256(content));
    await mortal.stop();
  });
});

describe('in Chromium, from a page of another origin', () => {
  let browser;
  let site; // serves the page
  let page;
  let files; // the server that allows the page

  before(async () => {
    site = http.createServer((request, answer) => answer.setHeader('Content-Type', 'text/html').end('<!doctype html>'));
    await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
    const origin = `http://localhost:${site.address().port}`;
    files = await start('--dir', join(folder, 'cross'), '--cors', origin);
    browser = await startBrowser();
    page = await browser.newPage();
    await page.goto(origin);
    await page.addScriptTag({path: pathIn('tus-js-client', 'dist/tus.min.js')});
  });
  after(async () => {
    await browser?.close();
    await files?.stop();
    site.closeAllConnections();
    site.close();
  });

  /** Uploads a File in the page, with `options`; resolves with its URL, or the status and text of the refusal. */
  const putInPage = (size, options) =>
    page.evaluate(
      ([endpoint, bytes, given]) =>
        new Promise((resolve) => {
          const content = new Uint8Array(bytes).map((_, i) => i % 251);
          const begun = new globalThis.tus.Upload(new File([content], 'Ünï 日本.bin', {lastModified: 1}), {
            endpoint,
            metadata: {filename: 'Ünï 日本.bin', filetype: 'application/x-test'},
            ...given,
            onSuccess: () => resolve({url: begun.url}),
            onError: (error) =>
              resolve({status: error.originalResponse?.getStatus() ?? 0, text: error.originalResponse?.getBody()}),
          });
          begun.start();
        }),
      [`${files.url}files`, size, options],
    );
  const expected = (size) => sha256(new Uint8Array(size).map((_, i) => i % 251));
  const arrived = async (url) => sha256((await ask(files.port, 'GET', new URL(url).pathname)).body);

  for (const [name, size, options] of [
    ['in one request', 1_000_000, {}],
    ['in chunks, with request ids', 1_000_000, {chunkSize: 300_000, addRequestId: true}],
    ['with POST instead of PATCH', 1_000_000, {overridePatchMethod: true, chunkSize: 300_000}],
    ['with data in the creation', 1_000_000, {uploadDataDuringCreation: true, chunkSize: 300_000}],
    ['of no bytes', 0, {}],
    ['with an Authorization field', 1_000, {headers: {Authorization: 'Bearer ann'}}],
  ]) {
    test(`${name}: it arrives unchanged`, async () => {
      const {url, ...refused} = await putInPage(size, options);
      assert.ok(url, JSON.stringify(refused));
      assert.equal(await arrived(url), expected(size));
    });
  }

  test('refusals have a message that the page can read', async () => {
    const tooLarge = await putInPage(fileBytesMax + 1, {retryDelays: null});
    assert.equal(tooLarge.status, 413);
    assert.match(tooLarge.text, /at most 2000000 bytes/);
    const draft = await putInPage(1_000, {retryDelays: null, protocol: 'ietf-draft-05'});
    assert.equal(draft.status, 400);
    const tag = {'Upload-Concat': 'partial'};
    assert.equal((await putInPage(1_000, {retryDelays: null, headers: tag})).status, 400);
  });

  test('aborted, and resumed by a reloaded page', async () => {
    const first = await page.evaluate(
      (endpoint) =>
        new Promise((resolve, reject) => {
          const content = new Uint8Array(1_000_000).map((_, i) => i % 251);
          const begun = new globalThis.tus.Upload(new File([content], 'again.bin', {lastModified: 1}), {
            endpoint,
            chunkSize: 300_000,
            onChunkComplete: () => begun.abort().then(() => resolve(begun.url), reject),
            onError: reject,
          });
          begun.start();
        }),
      `${files.url}files`,
    );
    await page.reload();
    await page.addScriptTag({path: pathIn('tus-js-client', 'dist/tus.min.js')});
    const second = await page.evaluate(
      (endpoint) =>
        new Promise((resolve, reject) => {
          const content = new Uint8Array(1_000_000).map((_, i) => i % 251);
          let sent = 0;
          const begun = new globalThis.tus.Upload(new File([content], 'again.bin', {lastModified: 1}), {
            endpoint,
            chunkSize: 300_000,
            onChunkComplete: (size) => (sent += size),
            onSuccess: () => resolve({url: begun.url, sent}),
            onError: reject,
          });
          begun.findPreviousUploads().then(([previous]) => {
            begun.resumeFromPreviousUpload(previous);
            begun.start();
          }, reject);
        }),
      `${files.url}files`,
    );
    assert.deepEqual(second, {url: first, sent: 700_000});
    assert.equal(await arrived(first), expected(1_000_000));
  });

  test('ranges and conditions of downloads, and the fields of their responses', async () => {
    const {url} = await putInPage(1_000, {});
    const got = await page.evaluate(async (from) => {
      const get = async (headers, method = 'GET') => {
        const answer = await fetch(from, {headers, method, cache: 'no-store'});
        const bytes = (await answer.arrayBuffer()).byteLength;
        return {status: answer.status, bytes, fields: Object.fromEntries(answer.headers)};
      };
      const whole = await get({});
      const {etag, 'last-modified': modified} = whole.fields;
      return {
        whole,
        head: await get({}, 'HEAD'),
        part: await get({Range: 'bytes=10-19'}),
        suffix: await get({Range: 'bytes=-10', 'If-Range': etag}),
        changed: await get({Range: 'bytes=0-9', 'If-Range': '"other"'}),
        past: await get({Range: 'bytes=1000-'}),
        sameTag: await get({'If-None-Match': etag}),
        sameDate: await get({'If-Modified-Since': modified}),
        otherTag: await get({'If-Match': '"other"'}),
        otherDate: await get({'If-Unmodified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT'}),
      };
    }, url);
    const told = Object.fromEntries(Object.entries(got).map(([name, {status, bytes}]) => [name, [status, bytes]]));
    assert.deepEqual(told, {
      whole: [200, 1_000],
      head: [200, 0],
      part: [206, 10],
      suffix: [206, 10],
      changed: [200, 1_000],
      past: [416, got.past.bytes],
      sameTag: [304, 0],
      sameDate: [304, 0],
      otherTag: [412, got.otherTag.bytes],
      otherDate: [412, got.otherDate.bytes],
    });
    const {fields} = got.whole;
    assert.equal(fields.etag, `"${new URL(url).pathname.slice('/files/'.length)}"`);
    assert.equal(fields['accept-ranges'], 'bytes');
    assert.match(fields['content-disposition'], /^attachment; .*UTF-8''%C3%9Cn%C3%AF/);
    assert.equal(fields['content-type'], 'application/x-test');
    assert.equal(got.head.fields['content-length'], '1000');
    assert.equal(got.part.fields['content-range'], 'bytes 10-19/1000');
    assert.equal(got.past.fields['content-range'], 'bytes */1000');
  });

  test('a page of an origin that is not listed gets nothing', async () => {
    const other = await browser.newPage();
    await other.goto(`http://127.0.0.1:${site.address().port}`);
    const met = await other.evaluate(
      (endpoint) => fetch(endpoint, {method: 'POST', body: 'x'}).then(() => 'an answer', () => 'a wall'),
      `${files.url}files`,
    );
    assert.equal(met, 'a wall');
    await other.close();
  });
});

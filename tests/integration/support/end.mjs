// Loaded before each test file. A server or client that a failed test leaves behind would keep the process alive until
// CTest's limit.

import {after} from 'node:test';

const graceMs = 5_000;

after(() => {
  setTimeout(() => {
    console.error(`# something was still open ${graceMs / 1000} s after the last test`);
    process.exit();
  }, graceMs).unref();
});

// Loaded before each test file. The server or client that a failed test leaves behind would keep the process alive until
// CTest's limit.
'use strict';

const {after} = require('node:test');

const graceMs = 15_000; // longer than any hook of a file takes

after(() => {
  setTimeout(() => {
    if (!process.exitCode) return; // no test failed: what is still open is a fault, for CTest's limit to show
    console.error(`# a test failed, and something is still open ${graceMs / 1000} s after the last one`);
    process.exit();
  }, graceMs).unref();
});

// Starts headless Chromium for the tests of pages.

import {load} from './packages.mjs';

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The program is CHROMIUM, or Debian's. */
export function startBrowser() {
  const {chromium} = load('playwright-core');
  return chromium.launch({executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags});
}

// Starts headless Chromium for the page tests.

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

export const laptop = {viewport: {width: 1280, height: 800}, colorScheme: 'light'};
export const phone = {
  viewport: {width: 390, height: 844},
  colorScheme: 'dark',
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
};

/** The program is CHROMIUM, or Debian's. */
export function startBrowser() {
  const {chromium} = load('playwright-core');
  return chromium.launch({executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags});
}

/** Every animation has finished or was cancelled. */
export const isStill = (page) =>
  page.evaluate(() =>
    Promise.allSettled(
      document
        .getAnimations()
        .filter((one) => one.effect.getTiming().iterations !== Infinity)
        .map(({finished}) => finished),
    ),
  );

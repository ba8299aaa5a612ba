// What a process uses, as Linux tells.

import {readdirSync, readFileSync} from 'node:fs';

/** Resident memory in bytes. */
export function residentBytes(pid) {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m);
  return Number(line[1]) * 1024;
}

/** How many file descriptors are open. */
export function openDescriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

// A process's resource use, as reported by Linux.

import {readdirSync, readFileSync} from 'node:fs';

/** Resident memory in bytes. */
export function residentBytes(pid) {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m);
  return Number(line[1]) * 1024;
}

/** The number of open file descriptors. */
export function openDescriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Bytes between a server's port and a client's that the kernel holds. IPv4 connections only. */
export function bytesInKernel(serverPort, clientPort) {
  const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');
  let bytes = 0;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1, -1)) {
    const [, local, remote, , queues] = line.trim().split(/\s+/);
    const ports = `${local.split(':')[1]} ${remote.split(':')[1]}`;
    const [sending, receiving] = queues.split(':').map((number) => parseInt(number, 16));
    if (ports === `${hex(serverPort)} ${hex(clientPort)}`) bytes += sending;
    if (ports === `${hex(clientPort)} ${hex(serverPort)}`) bytes += receiving;
  }
  return bytes;
}

/**
 * An id that no one else makes. `crypto.randomUUID` is missing on pages without TLS, where a phone on the same network
 * is.
 */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

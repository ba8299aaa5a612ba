/**
 * A unique id. `crypto.randomUUID` is missing on pages without TLS, which is how a phone on the same network opens this
 * page.
 */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

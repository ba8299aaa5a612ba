// Certificates for a test, made by the openssl command.

import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';

/** Writes a new self-signed certificate for localhost and its key into these files; returns the certificate as PEM. */
export function makeCertificate(certificateFile, keyFile, name) {
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-keyout', keyFile, '-out', certificateFile],
    ],
    {stdio: 'pipe'},
  );
  return readFileSync(certificateFile, 'utf8');
}

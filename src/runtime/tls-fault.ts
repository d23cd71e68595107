// Explains a failure of TLS in plain words, with what to do: the words of OpenSSL name its own routines and formats. `dial` uses it
// for each error of a TLS socket, also for those after the handshake: with TLS 1.3 a server refuses a certificate only then.
// Names in certificates are compared with hosts for collectors only, as OVS does not do it.

import { codeOf } from './error-code.ts';

/** How a fault names the files and the methods of the connection. */
export interface TlsWords {
  readonly key: string;
  readonly certificate: string;
  readonly ca: string;
  /** What to do about a peer that does not speak TLS. */
  readonly plain: string;
  /** A peer that closes the connection because it does not speak TLS. */
  readonly silent: string;
}

/** Of connections to OVS. */
const OVS_WORDS: TlsWords = {
  key: '--private-key',
  certificate: '--certificate',
  ca: '--ca-cert',
  plain: 'use tcp: in place of ssl:, or let it listen with pssl:',
  silent: 'a server that listens with ptcp:',
};

/** What each code of Node.js means. `its` is the peer's; words of `TlsWords` are in braces. */
const FAULTS: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'its certificate has expired: issue a new one, and check the clocks of both hosts'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet: check the clocks of both hosts'],
  ['CERT_REVOKED', 'its certificate has been revoked: issue a new one'],
  ...[
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'CERT_SIGNATURE_FAILURE',
  ].map(
    (code) =>
      [code, 'its certificate is not signed by the CA of {ca}: name the CA certificate of the peer'] as const,
  ),
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'its certificate is for another name: issue one whose subjectAltName has the host of the target',
  ],
  ['INVALID_PURPOSE', 'its certificate is not one of a server: issue one for that purpose'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS: {plain}'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'it does not speak TLS: {plain}'],
  [
    'ERR_SSL_UNSUPPORTED_PROTOCOL',
    'it has no TLS version in common with ovs-ipfix: allow TLSv1.2 or later there',
  ],
  [
    'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
    'the private key is not that of the certificate: check {key} and {certificate}',
  ],
  ['ERR_OSSL_PEM_NO_START_LINE', 'one of the files is not PEM: check {key}, {certificate} and {ca}'],
  ['ERR_OSSL_UNSUPPORTED', 'one of the files cannot be read as PEM: check {key}, {certificate} and {ca}'],
  [
    'ERR_OSSL_BAD_DECRYPT',
    'the private key has a passphrase, which ovs-ipfix cannot ask for: remove it with "openssl pkey"',
  ],
  [
    'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED',
    'the private key has a passphrase, which ovs-ipfix cannot ask for: remove it with "openssl pkey"',
  ],
]);

/** What the peer's alerts mean, by the end of their codes (RFC 8446, section 6.2). */
const ALERTS: ReadonlyMap<string, string> = new Map([
  [
    'UNKNOWN_CA',
    'it does not know the CA that signed the certificate of {certificate}: give it that CA certificate',
  ],
  ['BAD_CERTIFICATE', 'it refuses the certificate of {certificate}: check that its CA signed it'],
  ['CERTIFICATE_UNKNOWN', 'it refuses the certificate of {certificate}: check that its CA signed it'],
  ['UNSUPPORTED_CERTIFICATE', 'it refuses the kind of certificate of {certificate}: issue one for a client'],
  ['CERTIFICATE_REQUIRED', 'it asks for a certificate: check {certificate}'],
  ['CERTIFICATE_EXPIRED', 'the certificate of {certificate} has expired: issue a new one'],
  ['CERTIFICATE_REVOKED', 'the certificate of {certificate} has been revoked: issue a new one'],
  ['PROTOCOL_VERSION', 'it has no TLS version in common with ovs-ipfix: allow TLSv1.2 or later there'],
  [
    'HANDSHAKE_FAILURE',
    'it has no cipher in common with ovs-ipfix, or needs another certificate: see its log',
  ],
  [
    'DECRYPT_ERROR',
    'it cannot verify the signature of ovs-ipfix: check that {key} is the key of {certificate}',
  ],
]);

/** The code of `tlsFaultCode` for a peer that closes the connection within the handshake. */
const CLOSED_EARLY_CODE = 'TLS_CLOSED_EARLY';
/** How Node.js begins the message when the peer closes the connection within the handshake. */
const CLOSED_EARLY = 'Client network socket disconnected before secure TLS';

/** Returns what is wrong and what to do, as a clause with the code at its end; undefined for an error that is not of TLS. */
export function tlsFault(error: Error, words: TlsWords = OVS_WORDS): string | undefined {
  const code = codeOf(error);
  if (code === undefined) {
    return undefined;
  }
  if (error.message.startsWith(CLOSED_EARLY)) {
    return withWords(
      'it closed the connection before TLS was set up: {silent} does so, and one without a certificate; see its log',
      words,
    );
  }
  const alert = /_ALERT_(?<alert>\w+)$/u.exec(code)?.groups?.['alert'] ?? '';
  const fault = FAULTS.get(code) ?? ALERTS.get(alert);
  return fault && `${withWords(fault, words)} (${code})`;
}

function withWords(fault: string, words: TlsWords): string {
  return fault.replace(/\{(\w+)\}/gu, (_, word: keyof TlsWords) => words[word]);
}

/** Replaces the message of an error of TLS, so that whoever shows it shows the explanation. */
export function explainTls(error: Error): void {
  error.message = tlsFault(error) ?? error.message;
}

/** Returns the code that a fault of TLS is counted under; undefined for an error that is not of TLS. */
export function tlsFaultCode(error: Error): string | undefined {
  const isEarly = codeOf(error) !== undefined && error.message.startsWith(CLOSED_EARLY);
  const code = isEarly ? CLOSED_EARLY_CODE : codeOf(error);
  return code !== undefined && isTlsFault(code) ? code : undefined;
}

/** Returns whether a code is that of a fault of TLS: of the certificates, the handshake or the files. */
export function isTlsFault(code: string): boolean {
  return (
    FAULTS.has(code) || code === CLOSED_EARLY_CODE || /^(?:ERR_(?:SSL|TLS|OSSL)_|TLS_FILES$)/u.test(code)
  );
}

/** Returns what is wrong, as a clause, and what to do, as a sentence, of a fault that `tlsFault` has explained; or as it is. */
export function partsOfFault(text: string): { readonly wrong: string; readonly action: string } {
  const { wrong = text, action = '' } = /^(?<wrong>[^:]*): (?<action>.+)$/su.exec(text)?.groups ?? {};
  return {
    wrong,
    action:
      action === ''
        ? 'See the log of the collector.'
        : `${action.slice(0, 1).toUpperCase()}${action.slice(1)}.`,
  };
}

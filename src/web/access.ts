// Access control of the live page. On a loopback address every user of the host has access; elsewhere clients need the token,
// unless the operator allows all with --web-insecure. Pages of another origin have no access through the browser of a user who
// has it (cross-site WebSockets, DNS rebinding).

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** The cookie that keeps the token after it was given in the URL once. */
const COOKIE = 'ovs-ipfix-token';

/** The result of a check. */
export type Verdict =
  | { readonly kind: 'allowed' }
  /** The token in the URL is right: it is moved to a cookie. */
  | { readonly kind: 'remember'; readonly cookie: string }
  | { readonly kind: 'refused'; readonly status: 400 | 401 | 403; readonly sentence: string };

/** Checks requests by the rules above. */
export class Access {
  readonly #token: Buffer | undefined;
  readonly #ownNames: ReadonlySet<string>;

  /** `ownNames` are names of this host that are valid in URLs beside addresses and `localhost`. */
  constructor(token: string | undefined, ownNames: readonly string[]) {
    this.#token = token === undefined ? undefined : digest(token);
    this.#ownNames = new Set(['localhost', ...ownNames.map((name) => name.toLowerCase())]);
  }

  check(request: IncomingMessage): Verdict {
    const host = request.headers.host ?? '';
    if (!this.#isOwn(host)) {
      const sentence = `"${host}" is not an address or a name of this host; use its address, or localhost.`;
      return { kind: 'refused', status: 400, sentence };
    }
    const { origin } = request.headers;
    if (origin !== undefined && hostOf(origin) !== host.toLowerCase()) {
      return { kind: 'refused', status: 403, sentence: `Pages of ${origin} have no access to this server.` };
    }
    return this.#token === undefined ? { kind: 'allowed' } : this.#checkToken(request, this.#token);
  }

  #isOwn(host: string): boolean {
    const name = hostOf(`http://${host}`)?.replace(/:\d+$/u, '') ?? '';
    return this.#ownNames.has(name) || isIP(name.replace(/^\[|\]$/gu, '')) !== 0;
  }

  #checkToken(request: IncomingMessage, token: Buffer): Verdict {
    const query = (request.url ?? '').split('?').slice(1).join('?');
    const given = new URLSearchParams(query).get('token');
    if (given !== null && isSame(given, token)) {
      return {
        kind: 'remember',
        cookie: `${COOKIE}=${encodeURIComponent(given)}; HttpOnly; SameSite=Strict; Path=/`,
      };
    }
    const bearer = /^Bearer (?<token>.+)$/u.exec(request.headers.authorization ?? '')?.groups?.['token'];
    const held = bearer ?? cookieOf(request.headers.cookie ?? '');
    if (held !== undefined && isSame(held, token)) {
      return { kind: 'allowed' };
    }
    const sentence =
      'A token is required: open /?token=TOKEN once in a browser, or send "Authorization: Bearer TOKEN". ' +
      'It is in the file that --web-token-file names.';
    return { kind: 'refused', status: 401, sentence };
  }
}

/** Returns host and port of an origin in lower case; undefined for an invalid one such as `null`. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host.toLowerCase() : undefined;
}

function cookieOf(header: string): string | undefined {
  const pair = header.split(';').find((each) => each.trim().startsWith(`${COOKIE}=`));
  if (pair === undefined) {
    return undefined;
  }
  try {
    return decodeURIComponent(pair.slice(pair.indexOf('=') + 1).trim());
  } catch {
    // Not set by this server: a forged cookie.
    return undefined;
  }
}

/** Compares in constant time. */
function isSame(given: string, token: Buffer): boolean {
  return timingSafeEqual(digest(given), token);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

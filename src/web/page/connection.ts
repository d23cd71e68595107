// The WebSocket to the daemon; reconnects when it closes.

import { Backoff } from '../../runtime/backoff.ts';
import type { LiveMessage } from '../live-message.ts';

/** The state of the connection, as the page shows it. */
export type LinkState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'waiting'; readonly seconds: number };

/** Callbacks of the connection. */
export interface LinkListener {
  readonly onMessage: (message: LiveMessage) => void;
  readonly onLink: (state: LinkState) => void;
}

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 10_000;
/** Milliseconds without an update, sent each second, after which the connection is closed. */
const SILENCE_MS_MAX = 10_000;

/** Connects and reconnects until the returned function is called. */
export function connect({ onMessage, onLink }: LinkListener): () => void {
  let socket: WebSocket | undefined;
  let timer: number | undefined;
  const backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);

  const listenFor = (ms: number, then: () => void) => {
    window.clearTimeout(timer);
    timer = window.setTimeout(then, ms);
  };
  const open = () => {
    onLink({ kind: 'connecting' });
    const protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const opened = new WebSocket(`${protocol}//${location.host}/ws`);
    socket = opened;
    opened.addEventListener('message', ({ data }) => {
      backoff.reset();
      onLink({ kind: 'live' });
      onMessage(JSON.parse(String(data)) as LiveMessage);
      listenFor(SILENCE_MS_MAX, () => opened.close());
    });
    opened.addEventListener('close', () => {
      if (socket !== opened) {
        return;
      }
      const delayMs = backoff.grow();
      onLink({ kind: 'waiting', seconds: delayMs / 1000 });
      listenFor(delayMs, open);
    });
  };
  open();
  return () => {
    window.clearTimeout(timer);
    const last = socket;
    socket = undefined;
    last?.close();
  };
}

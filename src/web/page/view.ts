// What the reader has chosen to see. It is in the address of the page, so that a reload or a copied link shows the same.

import type { Dimension } from '../../report/traffic/dimensions.ts';

/** The choices of the reader. */
export interface View {
  readonly windowSeconds: 300 | 3600;
  readonly by: Dimension;
  readonly unit: 'bits' | 'packets';
  /** Whether times are in UTC, and not in the time zone of the browser. */
  readonly isUtc: boolean;
  /** The filter: words of the form `KEY=VALUE`. */
  readonly words: readonly string[];
}

/** The dimensions in the order of the menu, and what they are called there. */
export const DIMENSION_LABELS: readonly (readonly [Dimension, string])[] = [
  ['interface', 'VM or port (sender)'],
  ['application', 'application'],
  ['protocol', 'protocol'],
  ['bridge', 'bridge'],
  ['source', 'source'],
  ['destination', 'destination'],
];

/** Reads the view from the fragment of the address; whatever is not valid is as at the first visit. */
export function readView(hash: string): View {
  const query = new URLSearchParams(hash.replace(/^#/u, ''));
  const by = DIMENSION_LABELS.find(([each]) => each === query.get('by'))?.[0] ?? 'interface';
  return {
    windowSeconds: query.get('window') === '3600' ? 3600 : 300,
    by,
    unit: query.get('unit') === 'packets' ? 'packets' : 'bits',
    isUtc: query.has('utc'),
    words: query.getAll('word'),
  };
}

/** Returns the fragment of a view. */
export function viewHash({ windowSeconds, by, unit, isUtc, words }: View): string {
  const query = new URLSearchParams({
    window: String(windowSeconds),
    by,
    unit,
    ...(isUtc ? { utc: '1' } : {}),
  });
  for (const word of words) {
    query.append('word', word);
  }
  return `#${query.toString()}`;
}

/** Returns the address of the traffic of a view. */
export function trafficPath({ windowSeconds, by, words }: View, count: number): string {
  const query = new URLSearchParams({ window: String(windowSeconds), by, top: String(count) });
  for (const word of words) {
    const at = word.indexOf('=');
    query.append(word.slice(0, at), word.slice(at + 1));
  }
  return `/flows.json?${query.toString()}`;
}

/** Returns the words of a text that the reader has typed; a text without a word of the form `KEY=VALUE` names an interface. */
export function wordsOfText(text: string): string[] {
  const trimmed = text.trim();
  if (trimmed === '') {
    return [];
  }
  return trimmed.includes('=') ? trimmed.split(/\s+(?=\w+=)/u) : [`interface=${trimmed}`];
}

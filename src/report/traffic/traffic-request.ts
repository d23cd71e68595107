// The words of a request for the traffic of a window, from `ovs-appctl flows window=5m`, from /flows.json and from `top`.

import { UnknownWord } from '../unknown-word.ts';
import { dimensionOf } from './dimensions.ts';
import { SECOND_SLOTS_MAX, TEN_SECOND_SLOTS_MAX } from './history.ts';
import { TrafficFilter } from './traffic-filter.ts';
import type { TrafficRequest } from './traffic-view.ts';

/** Conversations without `top=N`, and the most. */
const TALKERS_DEFAULT = 10;
export const TALKERS_MAX = 100;

const WINDOW_SECONDS_MIN = 10;
const WINDOW_SECONDS_MAX = TEN_SECOND_SLOTS_MAX * 10;
const WINDOW_SECONDS_DEFAULT = 300;
const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['s', 1],
  ['m', 60],
  ['h', 3600],
]);

/** Whether the words ask for a window of the history, and not for the flows in the caches. */
export function isTrafficRequest(words: readonly string[]): boolean {
  return words.some((word) => word.startsWith('window='));
}

/** Reads words of the form `KEY=VALUE`; throws `UnknownWord` with a sentence. */
export function readTrafficRequest(words: readonly string[]): TrafficRequest {
  let windowSeconds = WINDOW_SECONDS_DEFAULT;
  let by = dimensionOf('interface');
  let count = TALKERS_DEFAULT;
  const filterWords: string[] = [];
  for (const word of words) {
    const [key = '', ...rest] = word.split('=');
    const value = rest.join('=');
    if (key === 'window') {
      windowSeconds = secondsOf(word, value);
    } else if (key === 'by') {
      by = dimensionOf(value);
    } else if (key === 'top') {
      count = countOf(word, value);
    } else {
      filterWords.push(word);
    }
  }
  return { windowSeconds, by, count, filter: TrafficFilter.parse(filterWords) };
}

function secondsOf(word: string, text: string): number {
  const match = /^(?<number>\d{1,6})(?<unit>[smh]?)$/u.exec(text)?.groups;
  const seconds = Number(match?.['number'] ?? Number.NaN) * (UNITS.get(match?.['unit'] ?? '') ?? 1);
  if (!(seconds >= WINDOW_SECONDS_MIN && seconds <= WINDOW_SECONDS_MAX)) {
    throw new UnknownWord(`"${word}": write a window from ${WINDOW_SECONDS_MIN}s to 1h, such as 5m.`);
  }
  // Beyond the slots of one second, those of ten are used, of which there are no parts.
  return seconds <= SECOND_SLOTS_MAX ? seconds : Math.ceil(seconds / 10) * 10;
}

function countOf(word: string, text: string): number {
  const count = /^\d{1,3}$/u.test(text) ? Number(text) : Number.NaN;
  if (!(count <= TALKERS_MAX)) {
    throw new UnknownWord(`"${word}": "${text}" is not a whole number from 0 to ${TALKERS_MAX}.`);
  }
  return count;
}

// The words of a request for the largest flows, from `ovs-appctl flows` and from /flows.json.

import { FlowFilter } from './flow-filter.ts';
import type { FlowRequest } from './report.ts';
import { TOP_FLOWS_MAX } from './top-flows.ts';
import { UnknownWord } from './unknown-word.ts';

/** Flows to show without `top=N`. */
const FLOWS_DEFAULT = 10;
/** Largest number of words: filter, bridge, set and number. */
export const FLOW_WORDS_MAX = 16;

/** Reads words of the form `KEY=VALUE`; throws `UnknownWord` with a sentence. */
export function readFlowRequest(words: readonly string[]): FlowRequest {
  const own = new Map<string, string>();
  const filterWords: string[] = [];
  for (const word of words) {
    const [key = '', ...rest] = word.split('=');
    if (['bridge', 'set', 'top'].includes(key)) {
      own.set(key, rest.join('='));
    } else if (key === 'by') {
      throw new UnknownWord(`"${word}" divides the traffic of a window; write window=5m as well.`);
    } else {
      filterWords.push(word);
    }
  }
  return {
    bridge: own.get('bridge'),
    collectorSetId: numberOf('set', own.get('set'), 2 ** 32 - 1),
    count: numberOf('top', own.get('top'), TOP_FLOWS_MAX) ?? FLOWS_DEFAULT,
    filter: FlowFilter.parse(filterWords),
  };
}

function numberOf(key: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  const number = /^\d{1,10}$/u.test(text) ? Number(text) : Number.NaN;
  if (!(number <= max)) {
    throw new UnknownWord(`"${key}=${text}": "${text}" is not a whole number from 0 to ${max}.`);
  }
  return number;
}

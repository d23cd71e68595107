// The search for flows that a filter selects: asks /flows.json, and again every few seconds while the filter stands.

import { useEffect, useState } from 'preact/hooks';
import type { FlowsDocument } from '../live-message.ts';

/** What is known of a search; neither while the first answer is pending. */
export interface FlowSearch {
  readonly flows?: FlowsDocument;
  /** Why there is no answer, as a sentence. */
  readonly fault?: string;
}

const FLOWS_SHOWN = 20;
/** Milliseconds after the last key, so that half a name is not searched. */
const TYPING_MS = 400;
/** Milliseconds between two searches with one filter. */
const REPEAT_MS = 5000;

/** Returns the flows that a filter selects; nothing for an empty one. */
export function useFilteredFlows(filter: string, isPaused: boolean): FlowSearch {
  const [search, setSearch] = useState<FlowSearch>({});
  const text = filter.trim();
  useEffect(() => setSearch({}), [text]);
  useEffect(() => {
    if (text === '' || isPaused) {
      return undefined;
    }
    const abort = new AbortController();
    let timer = 0;
    const run = async () => {
      const result = await ask(text, abort.signal);
      if (!abort.signal.aborted) {
        setSearch(result);
        timer = window.setTimeout(() => void run(), REPEAT_MS);
      }
    };
    timer = window.setTimeout(() => void run(), TYPING_MS);
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [text, isPaused]);
  return search;
}

/** Asks once; never rejects. */
async function ask(filter: string, signal: AbortSignal): Promise<FlowSearch> {
  try {
    const response = await fetch(`/flows.json?${queryOf(filter)}`, { signal });
    return response.ok
      ? { flows: (await response.json()) as FlowsDocument }
      : { fault: (await response.text()).trim() };
  } catch {
    // No connection: the head of the page says so too, and the next search follows.
    return { fault: 'The daemon cannot be asked.' };
  }
}

/** Returns the words of a filter as a query; text without a word of the form KEY=VALUE is the name of an interface or VM. */
function queryOf(filter: string): string {
  const words = filter.includes('=')
    ? filter.split(/\s+/u).map((word) => [word.split('=', 1)[0] ?? '', word.split('=').slice(1).join('=')])
    : [['interface', filter]];
  return new URLSearchParams([...words, ['top', String(FLOWS_SHOWN)]]).toString();
}

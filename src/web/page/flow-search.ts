// The search for flows in the caches: asks /flows.json, and again every few seconds.

import { useEffect, useState } from 'preact/hooks';
import type { FlowsDocument } from '../live-message.ts';
import { type Asked, useJson } from './use-json.ts';
import { wordsOfText } from './view.ts';

const FLOWS_SHOWN = 20;
/** Milliseconds after the last key, so that half a name is not searched. */
const TYPING_MS = 400;
/** Milliseconds between two searches with one filter. */
const REPEAT_MS = 5000;

/** Returns the flows that a filter selects; the largest of all for an empty one. */
export function useFlows(filter: string, isPaused: boolean): Asked<FlowsDocument> {
  const [words, setWords] = useState<readonly string[]>([]);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const timer = window.setTimeout(() => setWords(wordsOfText(filter)), TYPING_MS);
    return () => window.clearTimeout(timer);
  }, [filter]);
  useEffect(() => {
    if (isPaused) {
      return undefined;
    }
    const timer = window.setInterval(() => setTurn((before) => before + 1), REPEAT_MS);
    return () => window.clearInterval(timer);
  }, [isPaused]);
  const query = new URLSearchParams([...words.map(pairOf), ['top', String(FLOWS_SHOWN)]]);
  return useJson<FlowsDocument>(`/flows.json?${query.toString()}`, turn);
}

function pairOf(word: string): string[] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}

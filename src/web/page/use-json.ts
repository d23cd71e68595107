// Documents of the daemon that the page asks for.

import { useEffect, useRef, useState } from 'preact/hooks';

/** What is known of a document; neither while the first answer is pending. */
export interface Asked<Document> {
  readonly document?: Document;
  /** Why there is no new answer, as a sentence. */
  readonly fault?: string | undefined;
}

/** The result of a request: a document, a refusal, or why there is no answer. */
type Answer<Document> =
  | { readonly document: Document }
  | { readonly fault: string }
  | { readonly unanswered: string };

/** A request that is under way. */
interface Pending {
  readonly path: string;
  readonly abort: AbortController;
}

/** Milliseconds after which a request is aborted: its connection may be dead. An examination takes several seconds. */
const REQUEST_MS_MAX = 30_000;
/** Milliseconds after which a document that was never there is asked for again. */
const RETRY_MS = 1000;

/**
 * Returns the document at a path, which is asked for again whenever `turn` changes, unless the answer to the last request is still
 * pending; undefined: nothing is asked. A refused request keeps the last document of the same path, and one without an answer that
 * of any path.
 */
export function useJson<Document>(path: string | undefined, turn: number): Asked<Document> {
  const [asked, setAsked] = useState<Asked<Document> & { readonly path?: string }>({});
  const [retries, setRetries] = useState(0);
  const pending = useRef<Pending | undefined>(undefined);
  /** The path of the last answer. */
  const answered = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (pending.current?.path === path) {
      return;
    }
    pending.current?.abort.abort();
    pending.current = undefined;
    if (path === undefined) {
      return;
    }
    const request: Pending = { path, abort: new AbortController() };
    pending.current = request;
    const timer = window.setTimeout(() => request.abort.abort(), REQUEST_MS_MAX);
    void ask<Document>(path, request.abort.signal).then((answer) => {
      window.clearTimeout(timer);
      if (pending.current !== request) {
        return;
      }
      pending.current = undefined;
      if (!('unanswered' in answer)) {
        answered.current = path;
        setAsked((before) => ({
          ...(before.path === path ? before : {}),
          fault: undefined,
          ...answer,
          path,
        }));
      } else if (answered.current !== path) {
        // A page that is paused, or not connected, has no turns.
        window.setTimeout(() => setRetries((before) => before + 1), RETRY_MS);
        setAsked((before) => ({ ...before, fault: answer.unanswered }));
      }
    });
  }, [path, turn, retries]);
  useEffect(
    () => () => {
      pending.current?.abort.abort();
      pending.current = undefined;
    },
    [],
  );
  return asked;
}

/** Asks once; never rejects. */
async function ask<Document>(path: string, signal: AbortSignal): Promise<Answer<Document>> {
  try {
    const response = await fetch(path, { signal });
    if (response.ok) {
      return { document: (await response.json()) as Document };
    }
    const text = (await response.text()).trim();
    return response.status === 503 ? { unanswered: text } : { fault: text };
  } catch {
    return { unanswered: 'The daemon does not answer. It is asked again until it does.' };
  }
}

// Documents of the daemon that the page asks for.

import { useEffect, useState } from 'preact/hooks';

/** What is known of a document; neither while the first answer is pending. */
export interface Asked<Document> {
  readonly document?: Document;
  /** Why there is no new answer, as a sentence. */
  readonly fault?: string | undefined;
}

/**
 * Returns the document at a path, which is asked for again whenever `turn` changes; undefined: nothing is asked. A refused request
 * keeps the last document of the same path.
 */
export function useJson<Document>(path: string | undefined, turn: number): Asked<Document> {
  const [asked, setAsked] = useState<Asked<Document> & { readonly path?: string }>({});
  useEffect(() => {
    if (path === undefined) {
      return undefined;
    }
    const abort = new AbortController();
    void ask<Document>(path, abort.signal).then((answer) => {
      if (!abort.signal.aborted) {
        setAsked((before) => ({
          ...(before.path === path ? before : {}),
          fault: undefined,
          ...answer,
          path,
        }));
      }
    });
    return () => abort.abort();
  }, [path, turn]);
  return asked;
}

/** Asks once; never rejects. */
async function ask<Document>(path: string, signal: AbortSignal): Promise<Asked<Document>> {
  try {
    const response = await fetch(path, { signal });
    if (response.ok) {
      return { document: (await response.json()) as Document };
    }
    // Too many requests: the next turn asks again.
    return response.status === 503 ? {} : { fault: (await response.text()).trim() };
  } catch {
    // No connection: the head of the page says so too, and the next turn follows.
    return {};
  }
}

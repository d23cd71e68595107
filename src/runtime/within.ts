// A promise with a time limit.

import type { Clock, Timer } from './clock.ts';

/** Resolves to the promise's value; rejects with the sentence when it is not settled within `timeoutMs`. */
export async function within<Value>(
  clock: Clock,
  timeoutMs: number,
  sentence: string,
  promise: Promise<Value>,
): Promise<Value> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = clock.setTimer(() => reject(new Error(sentence)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer?.cancel();
  }
}

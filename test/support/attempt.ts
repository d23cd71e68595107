import { withShortStacks } from './short-stacks.ts';

/** Returns the result of the work, or the error that it throws. */
export function attempt<T>(work: () => T): T | Error {
  try {
    return withShortStacks(work);
  } catch (error) {
    return error as Error;
  }
}

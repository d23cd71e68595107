// Errors that a test expects by the thousand: most of their cost is the stack trace.

/** Runs work whose errors have one stack frame: where they were thrown. */
export function withShortStacks<T>(work: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

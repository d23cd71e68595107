// A reporter of Node's test runner for `npm run test:versions`: prints a line of JSON for each test, and for each diagnostic
// about versions of Open vSwitch.

import type { TestEvent } from 'node:test/reporters';

/** The content of a line. */
export type ResultLine =
  | { readonly kind: 'test'; readonly file: string; readonly name: string; readonly result: 'passed' }
  | {
      readonly kind: 'test';
      readonly file: string;
      readonly name: string;
      readonly result: 'failed' | 'skipped';
      readonly reason: string;
    }
  | { readonly kind: 'note'; readonly file: string; readonly text: string };

/** The reporter; Node expects it as the default export. */
// oxlint-disable-next-line import/no-default-export
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const line = lineOf(event);
    if (line !== undefined) {
      yield `${JSON.stringify(line)}\n`;
    }
  }
}

function lineOf(event: TestEvent): ResultLine | undefined {
  if (event.type === 'test:diagnostic') {
    const { message: text, file = '' } = event.data;
    return text.startsWith('OVS ') ? { kind: 'note', file, text } : undefined;
  }
  if (event.type === 'test:fail') {
    const { name, file = '', details } = event.data;
    const { error } = details;
    // A test or suite that failed because of a subtest adds no information.
    if ('failureType' in error && error.failureType === 'subtestsFailed') {
      return undefined;
    }
    return { kind: 'test', file, name, result: 'failed', reason: reasonOf(error) };
  }
  if (event.type !== 'test:pass' || event.data.details.type === 'suite') {
    return undefined;
  }
  const { name, file = '', skip } = event.data;
  if (skip !== undefined && skip !== false) {
    return { kind: 'test', file, name, result: 'skipped', reason: String(skip) };
  }
  return { kind: 'test', file, name, result: 'passed' };
}

function reasonOf(error: Error): string {
  const { cause } = error;
  return cause instanceof Error
    ? (cause.stack ?? cause.message)
    : typeof cause === 'string'
      ? cause
      : error.message;
}

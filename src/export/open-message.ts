// A message that is being filled, with its place in time.

import { MessageWriter } from '../ipfix/message-writer.ts';

/** A message and the moment from which its deltas count back. */
export class OpenMessage {
  readonly writer: MessageWriter;
  /** The export time (whole seconds, rounded up) on the monotonic clock, in microseconds. */
  exportMicros = 0;
  /** The export time in whole seconds on a wall clock that never steps; template intervals are measured on it. */
  steadySeconds = 0;

  constructor(messageBytesMax: number) {
    this.writer = new MessageWriter(messageBytesMax);
  }
}

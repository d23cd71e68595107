// A message that is being filled, with its export time on two clocks.

import { MessageWriter } from '../ipfix/message-writer.ts';

export class OpenMessage {
  readonly writer: MessageWriter;
  /** The export time (whole seconds, rounded up) on the monotonic clock, in microseconds: deltas count back from it. */
  exportMicros = 0;
  /** The export time in whole seconds on a wall clock that never steps: template intervals are measured with it. */
  steadySeconds = 0;

  constructor(messageBytesMax: number) {
    this.writer = new MessageWriter(messageBytesMax);
  }
}

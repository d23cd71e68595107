// Records of a pcap file side by side in the memory of a flow engine (`FlowEngine.frames`), which the engine reads itself: seconds
// and microseconds since 1970, captured bytes and bytes of the frame, four little-endian words, then the frame. Its owner reads
// the file, and uses one object for all runs, so that a run allocates nothing.

/** See the head of the file. Each record represents one packet. */
export class RecordRun {
  /** Called when records were read, before flows that they expire are passed on: the owner sets its clock. */
  readonly passed: (run: RecordRun) => void;
  // What to read: whole records in `frames[at, end)`, at most `countMax`, and those that fill the batch if `isOneBatch`.
  at = 0;
  end = 0;
  countMax = 0;
  isOneBatch = false;
  // Times in microseconds, in cells because they exceed small integers: records are read that are not before `lastMicros`, not
  // after `untilMicros` and before `beforeMicros`.
  readonly lastMicros = new Float64Array(1);
  readonly untilMicros = new Float64Array(1);
  readonly beforeMicros = new Float64Array(1);
  /** A batch is added before the first record that is after this time, which then begins one of `batchMicros`. */
  readonly batchEndMicros = new Float64Array([Number.NEGATIVE_INFINITY]);
  batchMicros = 0;
  /** Flows that have expired are passed on before the time is beyond a multiple of this: until then it makes no difference to them. */
  passMicros = 1;
  // What all records have in common.
  isExtended = false;
  domain = 0;
  observationPointId = 0;
  ingressInterface = 0;
  // What was read: `at` is behind the last record, and `lastMicros` its time.
  count = 0;
  /** Bytes that were captured, and bytes of the frames. */
  captured = 0;
  readonly octets = new Float64Array(1);

  constructor(passed: (run: RecordRun) => void) {
    this.passed = passed;
  }

  /** Nothing was read. */
  clear(): void {
    this.count = 0;
    this.captured = 0;
    this.octets[0] = 0;
  }
}

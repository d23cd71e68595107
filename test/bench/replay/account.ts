// The account of a replay: the counts of its summary in JSON, by which the benchmark checks that nothing is missing.

/** What a replay says of itself. */
export interface Account {
  readonly records: number;
  readonly messages: number;
  /** Octets of all messages, those with templates included. */
  readonly octets: number;
}

/** The fields of the summary that are read here; docs/replay.md has all. */
interface SummaryJson {
  readonly packetsInFlows: number;
  readonly shortfalls: readonly string[];
  readonly collectors: readonly {
    readonly messagesSent: number;
    readonly recordsSent: number;
    readonly octetsSent: number;
  }[];
}

/** Reads the summary of a replay to one collector; throws unless every packet is in a record that was sent. */
export function readAccount(stdout: string, packets: number, name: string): Account {
  const { packetsInFlows, shortfalls, collectors } = JSON.parse(stdout) as SummaryJson;
  if (packetsInFlows !== packets || shortfalls.length > 0) {
    throw new Error(
      `${name}: of ${packets} packets ${packetsInFlows} are in records: ${shortfalls.join(' ')}`,
    );
  }
  const [collector] = collectors;
  if (collector === undefined || collectors.length !== 1) {
    throw new Error(`${name}: the summary has ${collectors.length} collectors, and not one.`);
  }
  const { recordsSent, messagesSent, octetsSent } = collector;
  return { records: recordsSent, messages: messagesSent, octets: octetsSent };
}

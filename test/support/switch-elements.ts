// The elements of ovs-vswitchd's own exporter beside those of the daemon's templates: which have the same meaning in another
// form, and which only one of the two has.

import { type RecordFormat, TEMPLATES } from '../../src/ipfix/record-layout.ts';
import type { Fields } from './switch-records.ts';

/** Elements of `extended` that ovs-vswitchd does not send for a packet that enters a bridge, in no other form either. */
export const DAEMON_ELEMENTS: ReadonlySet<string> = new Set([
  'egressInterface',
  'samplingInterval',
  'flowStartMilliseconds',
  'flowEndMilliseconds',
]);

/**
 * Its counts of TCP flags, in the order of the bits of tcpControlBits, the lowest first. They count the packets of all flows of
 * the bridge since the exporter began, so only from one record to the next do they say which flags a packet had.
 */
const FLAG_COUNTS = [
  'tcpFinTotalCount',
  'tcpSynTotalCount',
  'tcpRstTotalCount',
  'tcpPshTotalCount',
  'tcpAckTotalCount',
  'tcpUrgTotalCount',
];
/** tcpControlBits of the flags that ovs-vswitchd counts: ECE and CWR are not among them. */
const COUNTED_FLAGS = 0x3f;

const namesOf = (format: RecordFormat): ReadonlySet<string> =>
  new Set(TEMPLATES[format].flatMap(({ fields }) => fields.map(({ element }) => element.name)));

/** The names of the elements of each format. */
export const FORMAT_ELEMENTS: Readonly<Record<RecordFormat, ReadonlySet<string>>> = {
  original: namesOf('original'),
  extended: namesOf('extended'),
};

/**
 * Returns records of ovs-vswitchd with what `extended` has in another form, in that form: type and code of ICMP, and, if each
 * record is of one packet, its TCP flags.
 */
export function inFormOf(
  format: RecordFormat,
  records: readonly Fields[],
  isOnePacketEach: boolean,
): readonly Fields[] {
  if (format === 'original') {
    return records;
  }
  const counts = FLAG_COUNTS.map(() => 0);
  return records.map((fields) => {
    const flags = isOnePacketEach ? flagsOf(fields, counts) : {};
    return { ...fields, ...typeAndCode(fields, 'IPv4'), ...typeAndCode(fields, 'IPv6'), ...flags };
  });
}

function typeAndCode(fields: Fields, version: string): Fields {
  const type = fields[`icmpType${version}`];
  const code = fields[`icmpCode${version}`];
  return type === undefined ? {} : { [`icmpTypeCode${version}`]: Number(type) * 256 + Number(code) };
}

/** Returns tcpControlBits of a packet, 0 with other ports than those of TCP; `counts` are those of the record before, updated. */
function flagsOf(fields: Fields, counts: number[]): Fields {
  let tcpControlBits = 0;
  for (const [bit, name] of FLAG_COUNTS.entries()) {
    const count = Number(fields[name] ?? counts[bit]);
    tcpControlBits |= count > (counts[bit] ?? 0) ? 1 << bit : 0;
    counts[bit] = count;
  }
  return fields['sourceTransportPort'] === undefined ? {} : { tcpControlBits };
}

/** Returns a record of the daemon without the flags that ovs-vswitchd does not count. */
export function withCountedFlags(fields: Fields): Fields {
  const flags = fields['tcpControlBits'];
  return flags === undefined ? fields : { ...fields, tcpControlBits: Number(flags) & COUNTED_FLAGS };
}

// Finds the largest flows in the caches. Only candidates are copied; the event loop runs between two slices of the search.

import { OpenMessage } from '../export/open-message.ts';
import { encodeRecord } from '../export/record-encoder.ts';
import type { FlowRecord } from '../flow/flow-record.ts';
import type { FlowWalk } from '../flow/flow-walk.ts';
import type { IngressInterfaces } from '../intake/ingress-interfaces.ts';
import { MESSAGE_SIZE_MAX } from '../ipfix/protocol.ts';
import { templateWithId } from '../ipfix/record-layout.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FlowFilter } from './flow-filter.ts';
import { RecordDecoder, type RecordOrigin, type RecordRow } from './record-rows.ts';

/** Flows that are tested in one turn of the event loop. */
const WALK_SLICE_FLOWS = 2048;
/** Largest number of flows in one request. */
export const TOP_FLOWS_MAX = 100;

/** A cache to search, and the origin of its flows. */
export interface FlowSource {
  readonly origin: RecordOrigin & { readonly interfaces: Pick<IngressInterfaces, 'list'> };
  readonly walk: FlowWalk;
}

/** The largest flows, and how many were searched. */
export interface TopFlows {
  /** Largest first; the values lack `flowEndReason`, because none of the flows has ended. */
  readonly rows: readonly RecordRow[];
  readonly matched: number;
  readonly flows: number;
}

interface Candidate {
  readonly octets: number;
  readonly origin: RecordOrigin;
  /** A message with this one record. */
  readonly message: Buffer;
}

/** Finds the `count` flows with most octets among those that match. */
export async function findTopFlows(
  sources: Iterable<FlowSource>,
  filter: FlowFilter,
  count: number,
  clock: Clock,
): Promise<TopFlows> {
  const search = new Search(Math.min(count, TOP_FLOWS_MAX), clock);
  for (const { walk, origin } of sources) {
    const isMatch = filter.testFor(origin.interfaces.list);
    while (walk.next((record) => search.test(record, isMatch(record), origin), WALK_SLICE_FLOWS)) {
      await new Promise(setImmediate);
    }
  }
  return search.result();
}

class Search {
  readonly #count: number;
  readonly #message = new OpenMessage(MESSAGE_SIZE_MAX);
  readonly #exportTimeSeconds: number;
  /** Largest first. */
  readonly #top: Candidate[] = [];
  #matched = 0;
  #flows = 0;

  constructor(count: number, clock: Clock) {
    this.#count = count;
    const wallMicros = clock.wallMicros();
    this.#exportTimeSeconds = Math.ceil(wallMicros / 1_000_000);
    this.#message.exportMicros = clock.monotonicMicros() + (this.#exportTimeSeconds * 1_000_000 - wallMicros);
  }

  test(record: FlowRecord, isMatch: boolean, origin: RecordOrigin): void {
    this.#flows += 1;
    if (!isMatch) {
      return;
    }
    this.#matched += 1;
    const octets = record.octetsHigh * 2 ** 32 + record.octetsLow;
    const smallest = this.#top.at(-1);
    if (this.#top.length >= this.#count && octets <= (smallest?.octets ?? Number.POSITIVE_INFINITY)) {
      return;
    }
    const candidate = { octets, origin, message: this.#copy(record) };
    const place = this.#top.findIndex((other) => other.octets < octets);
    this.#top.splice(place < 0 ? this.#top.length : place, 0, candidate);
    if (this.#top.length > this.#count) {
      this.#top.pop();
    }
  }

  result(): TopFlows {
    const decoder = new RecordDecoder();
    const rows = this.#top.flatMap(({ message, origin }) =>
      decoder.rows(message, origin, ['sequenceNumber', 'flowEndReason']),
    );
    return { rows, matched: this.#matched, flows: this.#flows };
  }

  #copy(record: FlowRecord): Buffer {
    const { writer } = this.#message;
    const template = templateWithId(record.templateId);
    writer.begin(this.#exportTimeSeconds, record.observationDomainId);
    const offset = writer.reserveRecords(template.id, template.recordSize);
    encodeRecord(this.#message, offset, template, record, 0);
    return Buffer.from(writer.bytes.subarray(0, writer.finish()));
  }
}

// Turns what the datapath has sampled into samples of an exporter: reads the messages that ovs-vswitchd's own exporter sends for one
// bridge, each with one record of one packet, and forwards each with its weight. The observation domain says that the record is
// the daemon's, and the observation point with which probability its packet was sampled, so a record is right also while the
// probability changes. It allocates nothing for a record.

import {
  DATA_SET_ID_MIN,
  IPFIX_VERSION,
  MESSAGE_HEADER_SIZE,
  OPTIONS_TEMPLATE_SET_ID,
  SEQUENCE_NUMBER_OFFSET,
  SET_HEADER_SIZE,
  TEMPLATE_SET_ID,
} from '../ipfix/protocol.ts';
import { TUNNEL_WORD_COUNT } from '../ipfix/record-layout.ts';
import type { SampleSink } from './bridge-intake.ts';
import { ExporterAccount, type ExporterAccountStatus } from './exporter-account.ts';
import { type IngressInterfaces, UNKNOWN_INTERFACE } from './ingress-interfaces.ts';
import { byteAt, SampledHeader, TCP_FLAG_COUNT } from './sampled-header.ts';
import { PROBABILITY_ALL, Sampler } from './sampler.ts';
import {
  isSameTemplate,
  knownTemplates,
  RecordOffsets,
  readTemplate,
  Slot,
  type SwitchTemplate,
} from './switch-templates.ts';

/** The dependencies of `DatapathIntake`. */
export interface DatapathIntakeOptions {
  /** The observation domain of the daemon's `sample` action: a random number of this run, 32 bits. */
  readonly domainToken: number;
  /** Random 32-bit numbers for the sampler. */
  readonly randomSeed: () => number;
  readonly interfaces: IngressInterfaces;
  /** Called with the id of a template that differs from the known one; records are read by the received one. */
  readonly onOtherTemplate: (id: number) => void;
}

/** Counts since the start, for operators. */
export interface DatapathIntakeStatus extends ExporterAccountStatus {
  /** N of 1-in-N. */
  readonly interval: number;
  /** Records of packets, those of test packets included. */
  readonly received: number;
  /** Records of test packets. */
  readonly tests: number;
  /** Records that were kept as samples. */
  readonly selected: number;
  /** Records without a sink, such as those before the row is adopted. */
  readonly unmanaged: number;
  /** Records of other observation domains, such as those of an earlier run. */
  readonly otherDomains: number;
  /** Messages with a set or a record that cannot be read. */
  readonly malformed: number;
  /** Templates received, also repeatedly. */
  readonly templates: number;
  /** Those of them that differ from the known ones; records are read by the received ones. */
  readonly otherTemplates: number;
  /** P of the newest record. */
  readonly probability: number;
}

const NUMBER_MAX = 2 ** 32 - 1;
const SLOT_SHIFT = 16;
/** Ids of the bridge that records under way may have. */
const IDS_KEPT = 64;

/** Templates that a peer may define beyond the known ones. */
const OTHER_TEMPLATES_MAX = 256;

// Cells of counters: a number above 2^31 in a field would be an object.
const RECEIVED = 0;
const TESTS = 1;
const UNMANAGED = 2;
const OTHER_DOMAINS = 3;
const MALFORMED = 4;
const TEMPLATES = 5;
const CELL_COUNT = 6;

export class DatapathIntake {
  readonly #domainToken: number;
  readonly #interfaces: IngressInterfaces;
  readonly #onOtherTemplate: (id: number) => void;
  /** What was sent, has arrived and is lost. */
  readonly account = new ExporterAccount();
  readonly #sampler: Sampler;
  readonly #templates = knownTemplates();
  readonly #offsets = new RecordOffsets();
  readonly #header = new SampledHeader();
  readonly #tunnel = new Int32Array(TUNNEL_WORD_COUNT);
  readonly #cells = new Float64Array(CELL_COUNT);
  /** The bridge's observation domains and points by slot, as signed words. */
  readonly #domainIds = new Int32Array(IDS_KEPT);
  readonly #pointIds = new Int32Array(IDS_KEPT);
  /** The low words of the TCP flags' totals of the newest TCP record; they grow by the flags of each. */
  readonly #flagTotals = new Int32Array(TCP_FLAG_COUNT);
  /** Whether the totals of the TCP flags are those before the next record. */
  #hasFlagTotals = true;
  #slot = 0;
  #interval = 1;
  #probability = 0;
  #otherTemplates = 0;
  #sink: SampleSink | undefined;

  constructor({ domainToken, randomSeed, interfaces, onOtherTemplate }: DatapathIntakeOptions) {
    this.#domainToken = domainToken | 0;
    this.#interfaces = interfaces;
    this.#onOtherTemplate = onOtherTemplate;
    this.#sampler = new Sampler(randomSeed(), this.account.factorCell, this.account.octetFactorCell);
  }

  /** Records of packets since the start, those of test packets included. */
  get records(): number {
    return this.#cells[RECEIVED]!;
  }

  /** Records of packets since the start, which the control of the probability counts. */
  get samples(): number {
    return this.#cells[RECEIVED]! - this.#cells[TESTS]!;
  }

  /** Returns the records of the daemon's observation domain since the start, and those of others. */
  counts(): { readonly own: number; readonly others: number } {
    const others = this.#cells[OTHER_DOMAINS]!;
    return { own: this.#cells[RECEIVED]! - others, others };
  }

  /** Sets where samples go; undefined while the bridge's row is not adopted. */
  setSink(sink: SampleSink | undefined): void {
    this.#sink = sink;
  }

  /** Sets the ids of the bridge's records. Returns the slot of samples with these ids, for `pointOf`. */
  setIds(observationDomainId: number, observationPointId: number): number {
    const index = this.#slot % IDS_KEPT;
    const isSame =
      this.#domainIds[index] === (observationDomainId | 0) &&
      this.#pointIds[index] === (observationPointId | 0);
    if (!isSame) {
      this.#slot = (this.#slot + 1) & 0xffff;
      this.#domainIds[this.#slot % IDS_KEPT] = observationDomainId;
      this.#pointIds[this.#slot % IDS_KEPT] = observationPointId;
    }
    return this.#slot;
  }

  /** Returns the observation point of samples of a probability, P of 65,535, and of the ids of a slot. */
  pointOf(probability: number, slot: number): number {
    return ((slot << SLOT_SHIFT) | probability) >>> 0;
  }

  /** Sets N of 1-in-N, 1 to 2^32 - 1: samples of a higher probability than 1/N are thinned. */
  setInterval(interval: number): void {
    this.#interval = interval;
    // The next record sets the sampler.
    this.#probability = 0;
  }

  /** The next record is that of another exporter; `isFresh`: its totals began at 0. */
  restartAccount(isFresh: boolean): void {
    this.account.restart(isFresh);
    // The first record of an exporter whose totals were 0 follows from them.
    this.#flagTotals.fill(0);
    this.#hasFlagTotals = true;
  }

  /** Reads the message `bytes[0, size)`; the bytes are only used until this returns. */
  receive(bytes: Buffer, size: number): void {
    if (
      size < MESSAGE_HEADER_SIZE ||
      bytes.readUInt16BE(0) !== IPFIX_VERSION ||
      bytes.readUInt16BE(2) !== size
    ) {
      this.#cells[MALFORMED]! += 1;
      return;
    }
    const isOwn = bytes.readInt32BE(12) === this.#domainToken;
    for (let at = MESSAGE_HEADER_SIZE; at < size; ) {
      const setSize = size - at < SET_HEADER_SIZE ? 0 : bytes.readUInt16BE(at + 2);
      if (setSize < SET_HEADER_SIZE || setSize > size - at) {
        this.#cells[MALFORMED]! += 1;
        return;
      }
      this.#receiveSet(bytes, bytes.readUInt16BE(at), at + SET_HEADER_SIZE, at + setSize, isOwn);
      at += setSize;
    }
  }

  status(): DatapathIntakeStatus {
    const cells = this.#cells;
    return {
      interval: this.#interval,
      received: cells[RECEIVED]!,
      tests: cells[TESTS]!,
      selected: this.#sampler.status().selected,
      unmanaged: cells[UNMANAGED]!,
      otherDomains: cells[OTHER_DOMAINS]!,
      malformed: cells[MALFORMED]!,
      templates: cells[TEMPLATES]!,
      otherTemplates: this.#otherTemplates,
      probability: this.#probability,
      ...this.account.status(),
    };
  }

  #receiveSet(bytes: Buffer, id: number, start: number, end: number, isOwn: boolean): void {
    if (id === TEMPLATE_SET_ID || id === OPTIONS_TEMPLATE_SET_ID) {
      this.#receiveTemplates(bytes, start, end, id === OPTIONS_TEMPLATE_SET_ID);
      return;
    }
    const template = id < DATA_SET_ID_MIN ? undefined : this.#templates.get(id);
    if (template === undefined) {
      this.#cells[MALFORMED]! += 1;
      return;
    }
    if (!template.isSample) {
      this.account.skipMessage();
      return;
    }
    this.account.startMessage(bytes.readInt32BE(SEQUENCE_NUMBER_OFFSET), bytes.readInt32BE(4));
    for (let at = start; at < end; ) {
      at = this.#offsets.follow(template, bytes, at, end);
      if (at < 0) {
        this.#cells[MALFORMED]! += 1;
        return;
      }
      this.#receiveRecord(bytes, isOwn);
    }
  }

  #receiveRecord(bytes: Buffer, isOwn: boolean): void {
    const { at } = this.#offsets;
    const cells = this.#cells;
    const packetsAt = at[Slot.packets]!;
    const octetsAt = at[Slot.octets]!;
    const pointAt = at[Slot.observationPoint]!;
    // The low words: a record of one packet counts at most 65,535 packets, of at most 65,535 octets each.
    const packets = packetsAt < 0 ? 0 : bytes.readInt32BE(packetsAt + 4);
    if (packets <= 0 || octetsAt < 0 || pointAt < 0) {
      cells[MALFORMED]! += 1;
      return;
    }
    const frameLength = Math.round((bytes.readInt32BE(octetsAt + 4) >>> 0) / packets);
    cells[RECEIVED]! += 1;
    const isNext = this.account.arrive(bytes, this.#offsets, packets, frameLength);
    const tcpFlags = this.#tcpFlags(bytes, isNext);
    if (!isOwn) {
      cells[OTHER_DOMAINS]! += 1;
      return;
    }
    const point = bytes.readInt32BE(pointAt);
    const probability = point & PROBABILITY_ALL;
    if (probability === 0) {
      cells[TESTS]! += 1;
      return;
    }
    if (probability !== this.#probability) {
      this.#setProbability(probability);
    }
    if (!this.#sampler.keep()) {
      return;
    }
    if (this.#sink === undefined) {
      cells[UNMANAGED]! += 1;
      return;
    }
    this.#forward(this.#sink, bytes, (point >>> SLOT_SHIFT) % IDS_KEPT, frameLength, tcpFlags);
  }

  #forward(sink: SampleSink, bytes: Buffer, ids: number, frameLength: number, tcpFlags: number): void {
    const size = this.#header.write(bytes, this.#offsets, tcpFlags);
    const weight = this.#sampler.weight();
    const ingress = sink.hasInterfaces ? this.#ingressInterface(bytes) : UNKNOWN_INTERFACE;
    let tunnel: Int32Array | undefined;
    if (sink.hasTunnels) {
      tunnel = this.#tunnel;
      this.#readTunnel(bytes, tunnel);
    }
    sink.sample(
      this.#header.bytes,
      0,
      size,
      frameLength,
      weight,
      this.#domainIds[ids]!,
      this.#pointIds[ids]!,
      ingress,
      this.#sampler.octets(weight, frameLength),
      tunnel,
    );
  }

  /** Weighs records by 65535/P, and thins them to 1 in N where they are more than that. */
  #setProbability(probability: number): void {
    this.#probability = probability;
    this.#sampler.setScale(PROBABILITY_ALL / probability);
    const surplus = (this.#interval * probability) / PROBABILITY_ALL;
    if (surplus <= 1) {
      this.#sampler.setProbability(1, 1);
    } else if (this.#interval * probability <= NUMBER_MAX) {
      this.#sampler.setProbability(PROBABILITY_ALL, this.#interval * probability);
    } else {
      this.#sampler.setProbability(1, Math.min(Math.round(surplus), NUMBER_MAX));
    }
  }

  /** Returns the flags of a TCP record, which are what the totals have grown by; 0 where a record between is lost. */
  #tcpFlags(bytes: Buffer, isNext: boolean): number {
    const { at } = this.#offsets;
    if (!isNext) {
      this.#hasFlagTotals = false;
    }
    if (at[Slot.finTotal]! < 0) {
      return 0;
    }
    let flags = 0;
    for (let bit = 0; bit < TCP_FLAG_COUNT; bit += 1) {
      const totalAt = at[Slot.finTotal + bit]!;
      const total = totalAt < 0 ? 0 : bytes.readInt32BE(totalAt + 4);
      if (total !== this.#flagTotals[bit]) {
        flags |= 1 << bit;
        this.#flagTotals[bit] = total;
      }
    }
    const isKnown = this.#hasFlagTotals;
    this.#hasFlagTotals = true;
    return isKnown ? flags : 0;
  }

  /** Returns the number of the interface that the packet came in by: that of its name, which tunnel ports do not share. */
  #ingressInterface(bytes: Buffer): number {
    const { at, size } = this.#offsets;
    const nameAt = at[Slot.ingressName]!;
    const ofport = nameAt < 0 ? 0 : this.#interfaces.portNamed(bytes, nameAt, size[Slot.ingressName]!);
    if (ofport !== 0) {
      return this.#interfaces.numberOf(ofport);
    }
    const ifindexAt = at[Slot.ingressInterface]!;
    const ifindex = ifindexAt < 0 ? 0 : bytes.readInt32BE(ifindexAt);
    return ifindex > 0 ? ifindex : this.#interfaces.numberOf(0);
  }

  /** Reads a word for each element of the tunnel that the packet came out of; zeros without one. */
  #readTunnel(bytes: Buffer, tunnel: Int32Array): void {
    const { at, size } = this.#offsets;
    tunnel.fill(0);
    const typeAt = at[Slot.tunnelType]!;
    if (typeAt < 0) {
      return;
    }
    tunnel[0] = bytes[typeAt]!;
    const keyAt = at[Slot.tunnelKey]!;
    const keySize = keyAt < 0 ? 0 : size[Slot.tunnelKey]!;
    for (let index = 0; index < keySize; index += 1) {
      tunnel[1] = (tunnel[1]! << 8) | bytes[keyAt + index]!;
    }
    tunnel[2] = wordAt(bytes, at[Slot.tunnelSource]!);
    tunnel[3] = wordAt(bytes, at[Slot.tunnelDestination]!);
    tunnel[4] = byteAt(bytes, at[Slot.tunnelProtocol]!);
    tunnel[5] = shortAt(bytes, at[Slot.tunnelSourcePort]!);
    tunnel[6] = shortAt(bytes, at[Slot.tunnelDestinationPort]!);
  }

  #receiveTemplates(bytes: Buffer, start: number, end: number, isOptions: boolean): void {
    const headerSize = isOptions ? 6 : 4;
    for (let at = start; end - at >= headerSize; ) {
      const id = bytes.readUInt16BE(at);
      const read = readTemplate(bytes, at + headerSize, end, bytes.readUInt16BE(at + 2));
      if (read === undefined) {
        this.#cells[MALFORMED]! += 1;
        return;
      }
      this.#learn(id, read.template);
      at = read.end;
    }
  }

  #learn(id: number, template: SwitchTemplate): void {
    this.#cells[TEMPLATES]! += 1;
    const known = this.#templates.get(id);
    if (known !== undefined ? isSameTemplate(known, template) : this.#otherTemplates >= OTHER_TEMPLATES_MAX) {
      return;
    }
    this.#templates.set(id, template);
    this.#otherTemplates += 1;
    this.#onOtherTemplate(id);
  }
}

/** Returns the word at an offset; 0 where the record does not have the element. */
function wordAt(bytes: Buffer, at: number): number {
  return at < 0 ? 0 : bytes.readInt32BE(at);
}

function shortAt(bytes: Buffer, at: number): number {
  return at < 0 ? 0 : bytes.readUInt16BE(at);
}

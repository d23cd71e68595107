// Reads the messages of one exporter of ovs-vswitchd, each with one record: follows its templates, keeps the account of what was lost,
// and reads of each record what a sample needs. What a record represents is decided by its user: datapath-intake.ts for the hook
// of a bridge, set-intake.ts for `sample` actions of users. It allocates nothing for a record.

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
import type { Sampler } from './sampler.ts';
import {
  isSameTemplate,
  knownTemplates,
  RecordOffsets,
  readTemplate,
  Slot,
  type SwitchTemplate,
} from './switch-templates.ts';

/** The dependencies of `SwitchRecords`. */
export interface SwitchRecordsOptions {
  readonly interfaces: IngressInterfaces;
  /** The templates of the exporter, which may be shared by exporters of one ovs-vswitchd. Default: the known ones. */
  readonly templates?: Map<number, SwitchTemplate>;
  /** Called with the id of a template that differs from the known one; records are read by the received one. */
  readonly onOtherTemplate: (id: number) => void;
  /**
   * Called for each record with the message, which `forward` takes; it is valid until the call returns. Ids are signed words,
   * `packets` is the record's count, and `frameLength` its octets by its packets.
   */
  readonly onRecord: (
    bytes: Buffer,
    domainId: number,
    pointId: number,
    packets: number,
    frameLength: number,
    tcpFlags: number,
  ) => void;
}

/** Counts since the start, for operators. */
export interface SwitchRecordsStatus extends ExporterAccountStatus {
  /** Records of packets. */
  readonly received: number;
  /** Messages with a set or a record that cannot be read. */
  readonly malformed: number;
  /** Templates received, also repeatedly. */
  readonly templates: number;
  /** Those of them that differ from the known ones; records are read by the received ones. */
  readonly otherTemplates: number;
}

/** Templates that a peer may define beyond the known ones. */
const OTHER_TEMPLATES_MAX = 256;
const DOMAIN_OFFSET = 12;

// Cells of counters: a number above 2^31 in a field would be an object.
const RECEIVED = 0;
const MALFORMED = 1;
const TEMPLATES = 2;
const CELL_COUNT = 3;

export class SwitchRecords {
  /** The account of the exporter, whose factors compensate what was lost. */
  readonly account = new ExporterAccount();
  readonly #interfaces: IngressInterfaces;
  readonly #onRecord: SwitchRecordsOptions['onRecord'];
  readonly #onOtherTemplate: (id: number) => void;
  readonly #templates: Map<number, SwitchTemplate>;
  readonly #offsets = new RecordOffsets();
  readonly #header = new SampledHeader();
  readonly #tunnel = new Int32Array(TUNNEL_WORD_COUNT);
  readonly #cells = new Float64Array(CELL_COUNT);
  /** The low words of the TCP flags' totals of the newest TCP record; they grow by the flags of each. */
  readonly #flagTotals = new Int32Array(TCP_FLAG_COUNT);
  /** Whether the totals of the TCP flags are those before the next record. */
  #hasFlagTotals = true;
  #otherTemplates = 0;

  constructor({ interfaces, templates, onRecord, onOtherTemplate }: SwitchRecordsOptions) {
    this.#interfaces = interfaces;
    this.#onRecord = onRecord;
    this.#onOtherTemplate = onOtherTemplate;
    this.#templates = templates ?? knownTemplates();
  }

  /** Records of packets since the start. */
  get received(): number {
    return this.#cells[RECEIVED]!;
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
    for (let at = MESSAGE_HEADER_SIZE; at < size; ) {
      const setSize = size - at < SET_HEADER_SIZE ? 0 : bytes.readUInt16BE(at + 2);
      if (setSize < SET_HEADER_SIZE || setSize > size - at) {
        this.#cells[MALFORMED]! += 1;
        return;
      }
      this.#receiveSet(bytes, bytes.readUInt16BE(at), at + SET_HEADER_SIZE, at + setSize);
      at += setSize;
    }
  }

  status(): SwitchRecordsStatus {
    return {
      received: this.#cells[RECEIVED]!,
      malformed: this.#cells[MALFORMED]!,
      templates: this.#cells[TEMPLATES]!,
      otherTemplates: this.#otherTemplates,
      ...this.account.status(),
    };
  }

  #receiveSet(bytes: Buffer, id: number, start: number, end: number): void {
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
      this.#receiveRecord(bytes);
    }
  }

  #receiveRecord(bytes: Buffer): void {
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
    const domainId = bytes.readInt32BE(DOMAIN_OFFSET);
    this.#onRecord(bytes, domainId, bytes.readInt32BE(pointAt), packets, frameLength, tcpFlags);
  }

  /** Forwards the record that `onRecord` is called for, as the sample that `sampler` has just kept. */
  forward(
    sink: SampleSink,
    bytes: Buffer,
    sampler: Sampler,
    domainId: number,
    pointId: number,
    frameLength: number,
    tcpFlags: number,
  ): void {
    const size = this.#header.write(bytes, this.#offsets, tcpFlags);
    const weight = sampler.weight();
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
      domainId,
      pointId,
      ingress,
      sampler.octets(frameLength),
      tunnel,
    );
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

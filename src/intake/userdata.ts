// The userdata of our controller actions (NXAST_CONTROLLER2), which the packet-ins contain: it says what was sampled, so that a
// packet-in is read without a look-up.
//
//   0       1       2               4                               8                               12
//   +-------+-------+---------------+-------------------------------+-------------------------------+
//   |version| kind  |  probability  |     observation domain id     |     observation point id      |
//   +-------+-------+---------------+-------------------------------+-------------------------------+
//   |       collector set id        |  the field of the domain id, the field of the point id ...
//   +-------------------------------+----------------------------------------
//
// The userdata of a bridge's hook ends before the collector set id, that of a companion action after it, unless the action
// takes an id from a field (NXAST_SAMPLE4). Then that id is 0 here, and both fields follow, each as
//
//   u8 length of its name, or 0 where the id is a number; the name; u8 lowest bit; u8 number of bits
//
// The id of a field that packet-ins do not contain (`unresolvedFields`) is 0.

import {
  type FieldBits,
  type FieldReference,
  isFieldInPacketIn,
  PacketInFields,
  type PacketInView,
  type SampleAction,
} from '../node-openflow/index.ts';

/** Version of this layout; packet-ins of another version (the hook of an older daemon) are counted and dropped. */
const USERDATA_VERSION = 1;
/** Sampled by the hook of a whole bridge. */
export const KIND_BRIDGE = 1;
/** Sampled by a `sample` action with two numbers as ids. */
const KIND_SAMPLE = 2;
/** Sampled by a `sample` action with at least one id from a field. */
export const KIND_SAMPLE_FIELDS = 3;
/** Not a kind of this version. */
export const KIND_UNKNOWN = 0;

const BRIDGE_SIZE = 12;
const SAMPLE_SIZE = 16;
const KIND_OFFSET = 1;
const PROBABILITY_OFFSET = 2;
const DOMAIN_OFFSET = 4;
const POINT_OFFSET = 8;
const SET_OFFSET = 12;

/** Encodes the userdata of a bridge's hook. */
export function bridgeUserdata(observationDomainId: number, observationPointId: number): Buffer {
  return head(KIND_BRIDGE, BRIDGE_SIZE, 0, observationDomainId, observationPointId);
}

/** Encodes the userdata of a companion action. */
export function sampleUserdata(sample: SampleAction): Buffer {
  const { observationDomainId: domain, observationPointId: point, probability, collectorSetId } = sample;
  const isFixed = typeof domain === 'number' && typeof point === 'number';
  const kind = isFixed ? KIND_SAMPLE : KIND_SAMPLE_FIELDS;
  const bytes = head(kind, SAMPLE_SIZE, probability, numberOf(domain), numberOf(point));
  bytes.writeUInt32BE(collectorSetId, SET_OFFSET);
  return isFixed ? bytes : Buffer.concat([bytes, fieldBytes(domain), fieldBytes(point)]);
}

/** Returns the kind of the userdata `bytes[start, end)`. Like the readers below it allocates nothing. */
export function userdataKind(bytes: Buffer, start: number, end: number): number {
  const size = end - start;
  if (size < BRIDGE_SIZE || bytes[start] !== USERDATA_VERSION) {
    return KIND_UNKNOWN;
  }
  const kind = bytes[start + KIND_OFFSET];
  const isWhole =
    (kind === KIND_BRIDGE && size === BRIDGE_SIZE) ||
    (kind === KIND_SAMPLE && size === SAMPLE_SIZE) ||
    (kind === KIND_SAMPLE_FIELDS && size > SAMPLE_SIZE);
  return isWhole ? kind : KIND_UNKNOWN;
}

/** Returns the observation domain id; 0 where it comes from a field. */
export function userdataDomainId(bytes: Buffer, start: number): number {
  return bytes.readUInt32BE(start + DOMAIN_OFFSET);
}

/** Returns the observation point id; 0 where it comes from a field. */
export function userdataPointId(bytes: Buffer, start: number): number {
  return bytes.readUInt32BE(start + POINT_OFFSET);
}

/** Returns the probability of a `sample` action, 0 to 65,535. */
export function userdataProbability(bytes: Buffer, start: number): number {
  return bytes.readUInt16BE(start + PROBABILITY_OFFSET);
}

/** Returns the collector set id of a `sample` action. */
export function userdataCollectorSet(bytes: Buffer, start: number): number {
  return bytes.readUInt32BE(start + SET_OFFSET);
}

/**
 * Returns both ids of a packet-in of `KIND_SAMPLE_FIELDS`: the values that the fields had at the `sample` action. They are 0
 * where the packet lacks the field, as in ovs-vswitchd's own records.
 */
export function idsFromFields(packetIn: PacketInView): { domainId: number; pointId: number } {
  const { bytes, userdataStart: start, userdataEnd: end } = packetIn;
  const fields = new PacketInFields(packetIn);
  let at = start + SAMPLE_SIZE;
  const read = (fixed: number): number => {
    const nameSize = at < end ? bytes.readUInt8(at) : 0;
    at += 1;
    if (nameSize === 0) {
      return fixed;
    }
    const name = bytes.toString('latin1', at, at + nameSize) as FieldReference['field'];
    const offset = bytes.readUInt8(at + nameSize);
    const bitCount = bytes.readUInt8(at + nameSize + 1);
    at += nameSize + 2;
    return Number(BigInt.asUintN(bitCount, (fields.value(name) ?? 0n) >> BigInt(offset)));
  };
  return { domainId: read(userdataDomainId(bytes, start)), pointId: read(userdataPointId(bytes, start)) };
}

/** Returns the fields of the ids of a `sample` action that packet-ins do not contain, with the ids as ovs-ofctl names them. */
export function unresolvedFields(sample: SampleAction): readonly string[] {
  const ids = [
    ['obs_domain_id', sample.observationDomainId],
    ['obs_point_id', sample.observationPointId],
  ] as const;
  return ids.flatMap(([name, id]) =>
    typeof id === 'number' || isFieldInPacketIn(id.field) ? [] : [`${name}=${fieldText(id)}`],
  );
}

function head(kind: number, size: number, probability: number, domainId: number, pointId: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt8(USERDATA_VERSION, 0);
  bytes.writeUInt8(kind, KIND_OFFSET);
  bytes.writeUInt16BE(probability, PROBABILITY_OFFSET);
  bytes.writeUInt32BE(domainId, DOMAIN_OFFSET);
  bytes.writeUInt32BE(pointId, POINT_OFFSET);
  return bytes;
}

function numberOf(id: number | FieldBits): number {
  return typeof id === 'number' ? id : 0;
}

function fieldBytes(id: number | FieldBits): Buffer {
  return typeof id === 'number'
    ? Buffer.from([0])
    : Buffer.concat([
        Buffer.from([id.field.length]),
        Buffer.from(id.field, 'latin1'),
        Buffer.from([id.offset, id.bitCount]),
      ]);
}

function fieldText({ field, header, offset, bitCount }: FieldBits): string {
  const name = header === undefined ? field : `${field} (class ${header.classId}, field ${header.fieldId})`;
  return `${name}[${offset}..${offset + bitCount - 1}]`;
}

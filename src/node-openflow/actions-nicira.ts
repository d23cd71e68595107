// The codecs of Nicira's actions except those on fields: rows of the table of actions. The daemon adds controller2,
// resubmit and clone to flows, and looks for the four forms of sample.
import {
  type ActionRow,
  nicira,
  portTo16,
  readNumberOrBits,
  readPort16,
  row,
  writeNumberOrBits,
} from './action-rows.ts';
import type { Controller2Action, ResubmitAction, SampleAction } from './action-types.ts';
import { paddingAfter } from './match.ts';
import type { WireReader, WireWriter } from './wire.ts';

const PORT_NONE = 0xffff_ffff;
const TABLE_CURRENT = 0xff;

/*
 * controller               resubmit                 resubmit_table(_ct)      output_trunc
 *   u16 max length           u16 in_port              u16 in_port              u16 port
 *   u16 controller id        u8  zero[4]              u8  table                u32 max length
 *   u8  reason                                        u8  zero[3]
 *   u8  zero
 */
const controllerRow = row('controller', [nicira(20)], {
  decode: (reader) => ({
    maxLength: reader.u16('controller.max_len'),
    controllerId: reader.u16('controller.controller_id'),
    reason: reader.u8('controller.reason'),
  }),
  encode: ({ maxLength, controllerId, reason }, writer) => {
    writer.u16(maxLength).u16(controllerId).u8(reason);
  },
});

function resubmitRow(type: ResubmitAction['type'], number: number): ActionRow {
  return row<ResubmitAction['type']>(type, [nicira(number)], {
    decode: (reader) => {
      const port = readPort16(reader, 'resubmit.in_port');
      return { port, tableId: type === 'resubmit' ? TABLE_CURRENT : reader.u8('resubmit.table') };
    },
    encode: ({ port, tableId }, writer) => {
      writer.u16(portTo16('resubmit.in_port', port)).u8(type === 'resubmit' ? 0 : tableId);
    },
  });
}

const outputTruncRow = row('output_trunc', [nicira(39)], {
  decode: (reader) => ({
    port: readPort16(reader, 'output_trunc.port'),
    maxLength: reader.u32('output_trunc.max_len'),
  }),
  encode: ({ port, maxLength }, writer) => {
    writer.u16(portTo16('output_trunc.port', port)).u32(maxLength);
  },
});

/*
 * controller2: u8 zero[6], then properties: u16 type, u16 length, value, zeros up to 8
 *   0 max length: u16, u16 zero        1 controller id: u16, u16 zero        2 reason: u8
 *   3 userdata                         4 pause: nothing                      5 meter: u32
 * The length includes the zeros shown here, but not the padding to a multiple of 8.
 */
const CONTROLLER2 = { maxLength: 0, controllerId: 1, reason: 2, userdata: 3, pause: 4, meterId: 5 } as const;
const PROPERTY_HEADER_SIZE = 4;

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

const controller2Row = row('controller2', [nicira(37)], {
  decode: (reader) => {
    const action: Writable<Omit<Controller2Action, 'type'>> = {};
    reader.skip(6, 'controller2.pad');
    while (reader.remaining > 0) {
      const type = reader.u16('controller2.property');
      const length = reader.u16('controller2.property');
      readController2Property(
        action,
        type,
        reader.sub(length - PROPERTY_HEADER_SIZE, 'controller2.property'),
      );
      reader.skip(paddingAfter(length), 'controller2.pad');
    }
    return action;
  },
  encode: (action, writer) => {
    writer.zeros(6);
    const { maxLength, controllerId, reason, userdata, isPausing, meterId } = action;
    if (maxLength !== undefined) {
      writeProperty(writer, CONTROLLER2.maxLength, 4).u16(maxLength).zeros(2);
    }
    if (controllerId !== undefined) {
      writeProperty(writer, CONTROLLER2.controllerId, 4).u16(controllerId).zeros(2);
    }
    if (reason !== undefined) {
      writeProperty(writer, CONTROLLER2.reason, 1).u8(reason).zeros(3);
    }
    if (userdata !== undefined) {
      writeProperty(writer, CONTROLLER2.userdata, userdata.length)
        .put(userdata)
        .zeros(paddingAfter(PROPERTY_HEADER_SIZE + userdata.length));
    }
    if (isPausing === true) {
      writeProperty(writer, CONTROLLER2.pause, 0).zeros(4);
    }
    if (meterId !== undefined) {
      writeProperty(writer, CONTROLLER2.meterId, 4).u32(meterId);
    }
  },
});

function readController2Property(
  action: Writable<Omit<Controller2Action, 'type'>>,
  type: number,
  value: WireReader,
): void {
  switch (type) {
    case CONTROLLER2.maxLength:
      action.maxLength = value.u16('controller2.max_len');
      break;
    case CONTROLLER2.controllerId:
      action.controllerId = value.u16('controller2.controller_id');
      break;
    case CONTROLLER2.reason:
      action.reason = value.u8('controller2.reason');
      break;
    case CONTROLLER2.userdata:
      action.userdata = value.copy(value.remaining, 'controller2.userdata');
      break;
    case CONTROLLER2.pause:
      action.isPausing = true;
      break;
    case CONTROLLER2.meterId:
      action.meterId = value.u32('controller2.meter_id');
      break;
    default:
      throw value.fault('controller2.property', `${type} is not a valid property type`);
  }
}

function writeProperty(writer: WireWriter, type: number, size: number): WireWriter {
  return writer.u16(type).u16(PROPERTY_HEADER_SIZE + size);
}

/*
 * sample                   sample2, sample3         sample4
 *   u16 probability          u16 probability          u16 probability
 *   u32 collector set        u32 collector set        u32 collector set
 *   u32 domain               u32 domain               u32 domain's field, or 0
 *   u32 point                u32 point                u32 domain, or u16 ofs_nbits and u16 zero
 *                            u16 sampling port        u32 point's field, or 0
 *                            u8  direction            u32 point, or u16 ofs_nbits and u16 zero
 *                            u8  zero[5]              u16 sampling port, u8 direction, u8 zero[5]
 */
function sampleRow(type: SampleAction['type'], number: number): ActionRow {
  return row<SampleAction['type']>(type, [nicira(number)], {
    decode: (reader) => {
      const probability = reader.u16('sample.probability');
      const collectorSetId = reader.u32('sample.collector_set_id');
      const observationDomainId = readObservationId(type, reader);
      const observationPointId = readObservationId(type, reader);
      const ids = { probability, collectorSetId, observationDomainId, observationPointId };
      if (type === 'sample') {
        return { ...ids, samplingPort: PORT_NONE, direction: 0 };
      }
      const samplingPort = readPort16(reader, 'sample.sampling_port');
      return { ...ids, samplingPort, direction: reader.u8('sample.direction') };
    },
    encode: (action, writer) => {
      writer.u16(action.probability).u32(action.collectorSetId);
      writeObservationId(type, action.observationDomainId, writer);
      writeObservationId(type, action.observationPointId, writer);
      if (type !== 'sample') {
        writer.u16(portTo16('sample.sampling_port', action.samplingPort)).u8(action.direction).zeros(5);
      }
    },
  });
}

type ObservationId = SampleAction['observationDomainId'];

function readObservationId(type: SampleAction['type'], reader: WireReader): ObservationId {
  return type === 'sample4' ? readNumberOrBits(reader, 4, 'sample.id') : reader.u32('sample.id');
}

function writeObservationId(type: SampleAction['type'], id: ObservationId, writer: WireWriter): void {
  if (type === 'sample4') {
    writeNumberOrBits(id, 4, writer);
  } else if (typeof id === 'number') {
    writer.u32(id);
  } else {
    throw new RangeError(`a ${type} action cannot take an observation id from a field; use sample4`);
  }
}

/*
 * clone                    ct                                        write_metadata     conjunction
 *   u8 zero[6]               u16 flags                                 u8  zero[6]        u8  clause
 *   actions                  u32 zone's field, or 0                    u64 metadata       u8  clause count
 *                            u16 zone, or ofs_nbits                    u64 mask           u32 id
 *                            u8  table, u8 zero[3], u16 alg, actions
 */
const nestingRows: readonly ActionRow[] = [
  row('clone', [nicira(42)], {
    decode: (reader, context) => {
      reader.skip(6, 'clone.pad');
      return { actions: context.decodeNested(reader) };
    },
    encode: ({ actions }, writer, context) => {
      context.encodeNested(actions, writer.zeros(6));
    },
  }),
  row('ct', [nicira(35)], {
    decode: (reader, context) => {
      const flags = reader.u16('ct.flags');
      const zone = readNumberOrBits(reader, 2, 'ct.zone');
      const tableId = reader.u8('ct.recirc_table');
      reader.skip(3, 'ct.pad');
      const alg = reader.u16('ct.alg');
      return { flags, zone, tableId, alg, actions: context.decodeNested(reader) };
    },
    encode: (action, writer, context) => {
      writer.u16(action.flags);
      writeNumberOrBits(action.zone, 2, writer);
      writer.u8(action.tableId).zeros(3).u16(action.alg);
      context.encodeNested(action.actions, writer);
    },
  }),
];

/*
 * note                     fin_timeout              dec_ttl_ids              set_tunnel64
 *   data up to the end       u16 idle timeout         u16 count                u8  zero[6]
 *                            u16 hard timeout         u8  zero[4]              u64 tunnel id
 *                            u16 zero                 u16 controller ids
 */
const valueRows: readonly ActionRow[] = [
  row('write_metadata', [nicira(22)], {
    decode: (reader) => {
      reader.skip(6, 'write_metadata.zeros');
      return { metadata: reader.u64('write_metadata.metadata'), mask: reader.u64('write_metadata.mask') };
    },
    encode: ({ metadata, mask }, writer) => {
      writer.zeros(6).u64(metadata).u64(mask);
    },
  }),
  row('conjunction', [nicira(34)], {
    decode: (reader) => ({
      clause: reader.u8('conjunction.clause'),
      clauseCount: reader.u8('conjunction.n_clauses'),
      id: reader.u32('conjunction.id'),
    }),
    encode: ({ clause, clauseCount, id }, writer) => {
      writer.u8(clause).u8(clauseCount).u32(id);
    },
  }),
  row('note', [nicira(8)], {
    decode: (reader) => ({ data: reader.copy(reader.remaining, 'note') }),
    encode: ({ data }, writer) => {
      writer.put(data);
    },
  }),
  row('fin_timeout', [nicira(19)], {
    decode: (reader) => ({
      idleTimeout: reader.u16('fin_timeout.idle'),
      hardTimeout: reader.u16('fin_timeout.hard'),
    }),
    encode: ({ idleTimeout, hardTimeout }, writer) => {
      writer.u16(idleTimeout).u16(hardTimeout);
    },
  }),
  row('dec_ttl_ids', [nicira(21)], {
    decode: (reader) => {
      const count = reader.u16('dec_ttl.n_controllers');
      const ids = new Array<number>();
      reader.skip(4, 'dec_ttl.zeros');
      for (let index = 0; index < count; index += 1) {
        ids.push(reader.u16('dec_ttl.cnt_ids'));
      }
      return { controllerIds: ids };
    },
    encode: ({ controllerIds }, writer) => {
      writer.u16(controllerIds.length).zeros(4);
      for (const id of controllerIds) {
        writer.u16(id);
      }
    },
  }),
  row('set_tunnel64', [nicira(9)], {
    decode: (reader) => {
      reader.skip(6, 'set_tunnel64.pad');
      return { value: reader.u64('set_tunnel64.tun_id') };
    },
    encode: ({ value }, writer) => {
      writer.zeros(6).u64(value);
    },
  }),
];

/** The rows of this file. */
export const NICIRA_ROWS: readonly ActionRow[] = [
  controllerRow,
  controller2Row,
  resubmitRow('resubmit', 1),
  resubmitRow('resubmit_table', 14),
  resubmitRow('resubmit_table_ct', 44),
  outputTruncRow,
  sampleRow('sample', 29),
  sampleRow('sample2', 38),
  sampleRow('sample3', 41),
  sampleRow('sample4', 51),
  ...nestingRows,
  ...valueRows,
];

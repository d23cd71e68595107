// The codecs of OpenFlow's own actions, most of which have one number or no argument: rows of the table of actions. In
// OpenFlow 1.0 some of them are Nicira's.
import {
  type ActionPlace,
  type ActionRow,
  nicira,
  of10,
  of13,
  of15,
  portTo16,
  readPort16,
  row,
} from './action-rows.ts';
import type { NumberActionType, PlainActionType } from './action-types.ts';

type NumberSize = 1 | 2 | 4;

/** Returns the place of a Nicira action in OpenFlow 1.0; later versions have their own. */
function nicira10(number: number): ActionPlace {
  return nicira(number, 1, 1);
}

const PLAIN: readonly (readonly [PlainActionType, readonly ActionPlace[]])[] = [
  ['pop_vlan', [of10(3), of13(18)]],
  ['dec_mpls_ttl', [nicira10(26), of13(16)]],
  ['dec_ttl', [nicira10(18), of13(24)]],
  ['pop_queue', [nicira(5)]],
  ['exit', [nicira(17)]],
  ['ct_clear', [nicira(43)]],
  ['dec_nsh_ttl', [nicira(48, 4)]],
  ['debug_slow', [nicira(254)]],
  ['debug_recirc', [nicira(255)]],
];

const NUMBERS: readonly (readonly [NumberActionType, NumberSize, readonly ActionPlace[]])[] = [
  ['set_vlan_vid', 2, [of10(1), of13(1)]],
  ['set_vlan_pcp', 1, [of10(2), of13(2)]],
  ['push_vlan', 2, [of13(17)]],
  ['set_nw_src', 4, [of10(6), of13(5)]],
  ['set_nw_dst', 4, [of10(7), of13(6)]],
  ['set_nw_tos', 1, [of10(8), of13(7)]],
  ['set_nw_ecn', 1, [of13(8)]],
  ['set_nw_ttl', 1, [of13(23)]],
  ['set_tp_src', 2, [of10(9), of13(9)]],
  ['set_tp_dst', 2, [of10(10), of13(10)]],
  ['set_mpls_label', 4, [nicira10(30), of13(13)]],
  ['set_mpls_tc', 1, [nicira10(31), of13(14)]],
  ['set_mpls_ttl', 1, [nicira10(25), of13(15)]],
  ['push_mpls', 2, [nicira10(23), of13(19)]],
  ['pop_mpls', 2, [nicira10(24), of13(20)]],
  ['set_queue', 4, [nicira10(4), of13(21)]],
  ['group', 4, [nicira10(40), of13(22)]],
  ['meter', 4, [of15(29)]],
  ['set_tunnel', 4, [nicira(2)]],
];

/** Makes the row of an action without argument. Nicira's header of 10 bytes is followed by zeros. */
function plainRow(type: PlainActionType, places: readonly ActionPlace[]): ActionRow {
  return row<PlainActionType>(type, places, { decode: () => ({}), encode: () => undefined });
}

/** Makes the row of an action with one number, which is aligned to its size from the start of the action. */
function numberRow(type: NumberActionType, size: NumberSize, places: readonly ActionPlace[]): ActionRow {
  // Headers have 4 bytes, Nicira's 10, after which 4-byte numbers need padding.
  const paddingOf = (place: ActionPlace | undefined): number => (place?.vendor !== 0 && size === 4 ? 2 : 0);
  const placeOf = (version: number): ActionPlace | undefined =>
    places.find((place) => version >= place.versionMin && version <= place.versionMax);
  return row<NumberActionType>(type, places, {
    decode: (reader, { version }) => {
      reader.skip(paddingOf(placeOf(version)), type);
      return { value: size === 1 ? reader.u8(type) : size === 2 ? reader.u16(type) : reader.u32(type) };
    },
    encode: ({ value }, writer, { version }) => {
      writer.zeros(paddingOf(placeOf(version)));
      if (size === 1) {
        writer.u8(value);
      } else if (size === 2) {
        writer.u16(value);
      } else {
        writer.u32(value);
      }
    },
  });
}

/*
 * output, OpenFlow 1.0     output, 1.3 and later     enqueue (1.0)          set_eth_src, set_eth_dst
 *   u16 port                 u32 port                  u16 port               u8 address[6]
 *   u16 max length           u16 max length            u8  zero[6]            u8 zero[6]
 *                            u8  zero[6]               u32 queue
 */
const outputRow = row('output', [of10(0), of13(0)], {
  decode: (reader, { version }) => {
    const port = version === 1 ? readPort16(reader, 'output.port') : reader.u32('output.port');
    return { port, maxLength: reader.u16('output.max_len') };
  },
  encode: ({ port, maxLength }, writer, { version }) => {
    if (version === 1) {
      writer.u16(portTo16('output.port', port)).u16(maxLength);
    } else {
      writer.u32(port).u16(maxLength).zeros(6);
    }
  },
});

const enqueueRow = row('enqueue', [of10(11)], {
  decode: (reader) => {
    const port = readPort16(reader, 'enqueue.port');
    reader.skip(6, 'enqueue.pad');
    return { port, queueId: reader.u32('enqueue.queue_id') };
  },
  encode: ({ port, queueId }, writer) => {
    writer.u16(portTo16('enqueue.port', port)).zeros(6).u32(queueId);
  },
});

function addressRow(type: 'set_eth_src' | 'set_eth_dst', places: readonly ActionPlace[]): ActionRow {
  return row<'set_eth_src' | 'set_eth_dst'>(type, places, {
    decode: (reader) => ({ address: reader.copy(6, type) }),
    encode: ({ address }, writer) => {
      writer.put(address).zeros(6);
    },
  });
}

/** The rows of this file. */
export const STANDARD_ROWS: readonly ActionRow[] = [
  ...PLAIN.map(([type, places]) => plainRow(type, places)),
  ...NUMBERS.map(([type, size, places]) => numberRow(type, size, places)),
  outputRow,
  enqueueRow,
  addressRow('set_eth_src', [of10(4), of13(3)]),
  addressRow('set_eth_dst', [of10(5), of13(4)]),
];

// Joins the two directions of a conversation: rows of the store with the same bridge, application and ends.

import { KeyTable } from '../../flow/key-table.ts';
import {
  DESTINATION_HAS_PORT,
  SOURCE_HAS_PORT,
  TRAFFIC_DESTINATION,
  TRAFFIC_KEY_WORDS,
  TRAFFIC_KIND,
  TRAFFIC_OWNER,
  TRAFFIC_SOURCE,
} from '../../flow/traffic-key.ts';
import { DIRECTIONS_MAX } from './direction-store.ts';

/** Which end of a conversation sends: the client, or the one with the lower address where neither end is a server. */
export type Sender = 0 | 1;

export class Conversations {
  readonly #table: KeyTable;
  readonly #key = new Int32Array(TRAFFIC_KEY_WORDS);

  constructor(hashSeed: number) {
    this.#table = new KeyTable({ wordCount: TRAFFIC_KEY_WORDS, rowsMax: DIRECTIONS_MAX, hashSeed });
  }

  clear(): void {
    this.#table.clear();
  }

  /** Returns the number of the conversation of a row; `words` are those of the store. */
  numberOf(words: Int32Array, row: number): number {
    const from = row * TRAFFIC_KEY_WORDS;
    const key = this.#key;
    const isFromLower = compareAddresses(words, from) <= 0;
    const kind = words[from + TRAFFIC_KIND]!;
    // Which of the ends, in the order of their addresses, is the server: another conversation when it is the other one.
    const isServerFirst = (kind & SOURCE_HAS_PORT) !== 0 ? isFromLower : !isFromLower;
    const hasServer = (kind & (SOURCE_HAS_PORT | DESTINATION_HAS_PORT)) !== 0;
    key[0] = words[from + TRAFFIC_OWNER]!;
    key[1] = kind & ~(SOURCE_HAS_PORT | DESTINATION_HAS_PORT);
    key[2] = hasServer ? (isServerFirst ? 1 : 2) : 0;
    const [lower, higher] = isFromLower
      ? [TRAFFIC_SOURCE, TRAFFIC_DESTINATION]
      : [TRAFFIC_DESTINATION, TRAFFIC_SOURCE];
    for (let index = 0; index < 4; index += 1) {
      key[3 + index] = words[from + lower + index]!;
      key[7 + index] = words[from + higher + index]!;
    }
    return this.#table.rowOf(key, 0);
  }

  /** Returns which end sends the packets of a row. */
  static senderOf(words: Int32Array, row: number): Sender {
    const from = row * TRAFFIC_KEY_WORDS;
    const kind = words[from + TRAFFIC_KIND]!;
    if ((kind & SOURCE_HAS_PORT) !== 0) {
      return 1;
    }
    if ((kind & DESTINATION_HAS_PORT) !== 0) {
      return 0;
    }
    return compareAddresses(words, from) <= 0 ? 0 : 1;
  }
}

/** Compares source and destination of the key that begins at `from`. */
function compareAddresses(words: Int32Array, from: number): number {
  for (let index = 0; index < 4; index += 1) {
    const source = words[from + TRAFFIC_SOURCE + index]! >>> 0;
    const destination = words[from + TRAFFIC_DESTINATION + index]! >>> 0;
    if (source !== destination) {
      return source - destination;
    }
  }
  return 0;
}

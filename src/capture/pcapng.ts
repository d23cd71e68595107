// The pcapng format, as Wireshark writes it (draft-ietf-opsawg-pcapng): blocks, each with its length at both ends. A file may
// have several sections, each with its own byte order, and a section several interfaces, each with its own time resolution and
// snap length. Blocks that do not concern packets are skipped.

import {
  type CapturedPacket,
  type CaptureFormat,
  type CaptureFormatParts,
  PACKET_BYTES_MAX,
} from './captured-packet.ts';
import { type CaptureLink, setFrame } from './link-header.ts';
import { isSupported } from './link-types.ts';
import { type TimeUnit, timeUnit, unitsToMicros } from './pcapng-time.ts';

const Block = {
  section: 0x0a0d0d0a,
  interface: 1,
  obsoletePacket: 2,
  simplePacket: 3,
  enhancedPacket: 6,
} as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const MAJOR = 1;
const SECTION_BODY_SIZE_MIN = 16;
/** Type and length at the beginning, the length again at the end. */
const BLOCK_SIZE_MIN = 12;
/** Bytes of the largest packet and its options; only blocks that are skipped may be larger. */
const BLOCK_SIZE_MAX = PACKET_BYTES_MAX + 65_536;
/** Interfaces of a section that are stored. */
export const INTERFACES_MAX = 65_536;

const Option = { end: 0, timeResolution: 9, checkSequence: 13, timeOffset: 14 } as const;
/** The lengths of their values, in bytes. */
const OPTION_SIZES: ReadonlyMap<number, number> = new Map([
  [Option.timeResolution, 1],
  [Option.checkSequence, 1],
  [Option.timeOffset, 8],
]);
/** `if_fcslen` is in bits; writers have put bytes there, which are fewer than this. */
const CHECK_SEQUENCE_BITS_MIN = 16;

/** What the options of an interface say. */
interface InterfaceOptions {
  /** `if_tsresol`. */
  readonly resolution: number;
  readonly offsetSeconds: number;
  readonly checkSequenceSize: number;
}

interface CaptureInterface extends CaptureLink {
  readonly isSupported: boolean;
  readonly snapLength: number;
  readonly unit: TimeUnit;
}

/** Returns whether a file that begins with the bytes at `at` is pcapng; the type of its first block is a palindrome. */
export function isPcapng(view: DataView, at: number): boolean {
  return view.getUint32(at, true) === Block.section;
}

/** Reads pcapng; see `CaptureFormat`. */
export class PcapngFormat implements CaptureFormat {
  readonly #view: DataView;
  readonly #packet: CapturedPacket;
  readonly #fail: (what: string) => never;
  readonly #skip: (linkType: number) => void;
  #isLittle = true;
  #interfaces: CaptureInterface[] = [];

  constructor({ view, bytes, packet, fail, skip }: CaptureFormatParts) {
    this.#view = view;
    this.#packet = packet;
    this.#packet.bytes = bytes;
    this.#fail = fail;
    this.#skip = skip;
  }

  readonly hasPlainRecords = false;

  step(at: number, end: number): number {
    const view = this.#view;
    if (end - at < BLOCK_SIZE_MIN) {
      return 0;
    }
    const type = view.getUint32(at, this.#isLittle);
    if (type === Block.section) {
      this.#readByteOrder(at);
    }
    const size = view.getUint32(at + 4, this.#isLittle);
    if (size < BLOCK_SIZE_MIN || (size & 3) !== 0) {
      this.#fail(`block length ${size} is not valid.`);
    }
    const isPassedOver = !isUsed(type);
    if (size > BLOCK_SIZE_MAX) {
      return isPassedOver
        ? -size
        : this.#fail(`block length ${size} is too long for a block of type ${type}.`);
    }
    if (end - at < size) {
      return 0;
    }
    // A wrong length of a block that is skipped would skip packets as well.
    if (view.getUint32(at + size - 4, this.#isLittle) !== size) {
      this.#fail(`block length ${size} differs from the length at the end of the block.`);
    }
    if (isPassedOver) {
      return -size;
    }
    const bodyEnd = at + size - 4;
    if (type === Block.section) {
      this.#beginSection(at + 8, bodyEnd);
      return -size;
    }
    if (type === Block.interface) {
      this.#addInterface(at + 8, bodyEnd);
      return -size;
    }
    return this.#readPacket(type, at + 8, bodyEnd) ? size : -size;
  }

  #readByteOrder(at: number): void {
    const view = this.#view;
    this.#isLittle = view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC;
    if (!this.#isLittle && view.getUint32(at + 8, false) !== BYTE_ORDER_MAGIC) {
      this.#fail('the byte-order magic of a section is not valid.');
    }
  }

  /* u32 byte-order magic, u16 major 1, u16 minor, i64 length of the section, options */
  #beginSection(at: number, end: number): void {
    if (end - at < SECTION_BODY_SIZE_MIN) {
      this.#fail('the block of a section is too short.');
    }
    const major = this.#view.getUint16(at + 4, this.#isLittle);
    if (major !== MAJOR) {
      const minor = this.#view.getUint16(at + 6, this.#isLittle);
      this.#fail(
        `pcapng version ${major}.${minor} is not supported. Convert the file: editcap -F pcapng OLD NEW.`,
      );
    }
    this.#interfaces = [];
  }

  #addInterface(at: number, end: number): void {
    const view = this.#view;
    if (end - at < 8) {
      this.#fail('the block of an interface is too short.');
    }
    if (this.#interfaces.length === INTERFACES_MAX) {
      this.#fail(`the section has more than ${INTERFACES_MAX} interfaces.`);
    }
    const options = this.#readOptions(at + 8, end);
    const linkType = view.getUint16(at, this.#isLittle);
    this.#interfaces.push({
      linkType,
      isSupported: isSupported(linkType),
      checkSequenceSize: options.checkSequenceSize,
      snapLength: view.getUint32(at + 4, this.#isLittle),
      unit: timeUnit(options.resolution, options.offsetSeconds),
    });
  }

  /* Each: u16 code, u16 length, the value, padding to 4 bytes. Those of other meanings are skipped. */
  #readOptions(start: number, end: number): InterfaceOptions {
    const view = this.#view;
    const isLittle = this.#isLittle;
    let [resolution, offsetSeconds, checkSequence] = [6, 0, 0];
    for (let option = start; end - option >= 4; ) {
      const code = view.getUint16(option, isLittle);
      const size = view.getUint16(option + 2, isLittle);
      if (code === Option.end) {
        break;
      }
      const expected = OPTION_SIZES.get(code) ?? size;
      // Without it, all times of the interface would be wrong.
      if (end - option - 4 < size || size !== expected) {
        this.#fail(`option ${code} of an interface has a length of ${size} bytes, which is not valid.`);
      }
      if (code === Option.timeResolution) {
        resolution = view.getUint8(option + 4);
      } else if (code === Option.checkSequence) {
        checkSequence = view.getUint8(option + 4);
      } else if (code === Option.timeOffset) {
        offsetSeconds = Number(view.getBigInt64(option + 4, isLittle));
      }
      option += 4 + ((size + 3) & ~3);
    }
    const isInBits = checkSequence >= CHECK_SEQUENCE_BITS_MIN;
    return {
      resolution,
      offsetSeconds,
      checkSequenceSize: isInBits ? checkSequence >> 3 : checkSequence,
    };
  }

  /*
   * Enhanced: u32 interface, u32 + u32 time (high, low), u32 captured, u32 original, frame, options
   * Obsolete: u16 interface, u16 drops, then the same
   * Simple:   u32 original, frame: of interface 0, without a time
   * Returns false for a packet that is skipped.
   */
  #readPacket(type: number, at: number, end: number): boolean {
    const view = this.#view;
    const packet = this.#packet;
    const isLittle = this.#isLittle;
    const isSimple = type === Block.simplePacket;
    const start = at + (isSimple ? 4 : 20);
    if (start > end) {
      this.#fail('the block of a packet is too short.');
    }
    const number = isSimple
      ? 0
      : type === Block.enhancedPacket
        ? view.getUint32(at, isLittle)
        : view.getUint16(at, isLittle);
    const from =
      this.#interfaces[number] ?? this.#fail(`a packet is of interface ${number}, which has no description.`);
    if (!from.isSupported) {
      this.#skip(from.linkType);
      return false;
    }
    const original = view.getUint32(isSimple ? at : at + 16, isLittle);
    const captured = isSimple
      ? Math.min(original, from.snapLength === 0 ? original : from.snapLength)
      : view.getUint32(at + 12, isLittle);
    if (captured > end - start) {
      this.#fail(`a packet has ${captured} captured bytes, but its block has ${end - start}.`);
    }
    if (!isSimple) {
      const high = view.getUint32(at + 4, isLittle);
      packet.timeMicros[0] = unitsToMicros(from.unit, high, view.getUint32(at + 8, isLittle));
    }
    setFrame(packet, view, start, captured, original, from);
    return true;
  }
}

function isUsed(type: number): boolean {
  return (
    type === Block.enhancedPacket ||
    type === Block.simplePacket ||
    type === Block.obsoletePacket ||
    type === Block.interface ||
    type === Block.section
  );
}

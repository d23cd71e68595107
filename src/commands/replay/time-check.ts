// Notes packets whose times are probably wrong: a replay follows the time of the packets, so that one of them moves the time of
// all that come after it.

import type { CaptureFile } from './capture-file.ts';

/** The last second that an IPFIX message can name: 32 bits since 1970 (RFC 7011, section 3.1). */
const LAST_MICROS = 0xffff_ffff * 1_000_000;
/** How far the clocks of two machines may be apart. */
export const FUTURE_SECONDS_MAX = 86_400;

/** The first packet with such a time, and how many there are. */
interface Note {
  readonly file: string;
  readonly packetNumber: number;
  readonly micros: number;
  packets: number;
}

/** See the head of the file. */
export class TimeCheck {
  /** The latest time that is not noted, in microseconds, in a cell because it exceeds a small integer. */
  readonly latest: Float64Array;
  #future: Note | undefined;
  #beyond: Note | undefined;

  /** `nowMicros` is the time of the machine. */
  constructor(nowMicros: number) {
    this.latest = new Float64Array([Math.min(nowMicros + FUTURE_SECONDS_MAX * 1_000_000, LAST_MICROS)]);
  }

  /** Notes the current packet of a file, whose time is past `latest`. */
  add(capture: CaptureFile): void {
    const micros = capture.timeMicros;
    const note = micros > LAST_MICROS ? this.#beyond : this.#future;
    if (note !== undefined) {
      note.packets += 1;
      return;
    }
    const { file, reader } = capture;
    const first = { file, packetNumber: reader.packetNumber, micros, packets: 1 };
    if (micros > LAST_MICROS) {
      this.#beyond = first;
    } else {
      this.#future = first;
    }
  }

  /** Returns the warnings, as sentences. */
  warnings(): string[] {
    const warnings: string[] = [];
    if (this.#future !== undefined) {
      warnings.push(
        `${packetText(this.#future)}, in the future. Packets behind it with an earlier time get its time.`,
      );
    }
    if (this.#beyond !== undefined) {
      warnings.push(
        `${packetText(this.#beyond)}, past 2106-02-07, the last day that an IPFIX message can name. ` +
          'The export times of its records are wrong.',
      );
    }
    return warnings;
  }
}

function packetText({ file, packetNumber, micros, packets }: Note): string {
  const others = packets === 1 ? '' : ` (the first of ${packets})`;
  return `Packet ${packetNumber} of "${file}"${others} is of ${timeText(micros)}`;
}

/** Returns a time in UTC; in seconds what is beyond the range of `Date`. */
function timeText(micros: number): string {
  const date = new Date(micros / 1000);
  return Number.isNaN(date.getTime()) ? `${Math.floor(micros / 1_000_000)} s since 1970` : date.toISOString();
}

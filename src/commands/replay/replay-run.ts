// One replay: sends the packets of a capture through an exporter as samples of weight 1, as fast as possible or at the recorded
// speed. Exporter, cache, encoder and sessions are those of the daemon; only the source of frames and time differs. Reading
// waits for the collectors, so that no record is lost here.

import { CaptureReader } from '../../capture/capture-reader.ts';
import { CaptureError } from '../../capture/captured-packet.ts';
import { BatchClock } from '../../export/batch-clock.ts';
import type { OpenSession } from '../../export/collector-session.ts';
import { Exporter } from '../../export/exporter.ts';
import type { ExporterOptions } from '../../export/exporter-options.ts';
import type { ExporterStatus } from '../../export/exporter-status.ts';
import { UNKNOWN_INTERFACE } from '../../intake/ingress-interfaces.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { CaptureClock } from './capture-clock.ts';
import { type CaptureSource, CaptureSourceError } from './capture-source.ts';

/** Options of a replay, validated. */
export interface ReplayOptions {
  readonly exporter: ExporterOptions;
  readonly speed: 'max' | 'recorded';
  readonly observationDomainId: number;
  readonly observationPointId: number;
}

export interface ReplayParts {
  readonly source: CaptureSource;
  readonly log: Logger;
  readonly openSession: OpenSession;
}

/** Counts of a replay; octets are those of whole frames. */
export interface ReplayStatus {
  readonly packets: number;
  readonly octets: number;
  /** Octets of the frames in the file, fewer than `octets` when it was captured with a snap length. */
  readonly octetsCaptured: number;
  /** Packets whose time is before that of the previous packet; the previous time is used for them. */
  readonly outOfOrder: number;
  /** Times of capture in microseconds since 1970; undefined before the first packet. */
  readonly firstMicros: number | undefined;
  readonly lastMicros: number | undefined;
  /** Why the file could not be read to its end; the packets before are exported. */
  readonly fault: string | undefined;
  readonly isInterrupted: boolean;
  readonly fileBytes: number | undefined;
  readonly fileBytesRead: number;
  readonly exporter: ExporterStatus;
}

/** Send queue of a collector at which reading stops, and at which it resumes, in messages. */
const BACKLOG_MAX = 256;
const BACKLOG_LOW = 32;
/** Packets between two checks of the send queue: a sample expires few records, and a message holds several. */
const LOOK_PACKETS = 64;
/** Packets after which deferred work of the exporter runs; a count, so that a file gives the same messages each time. */
const BATCH_PACKETS = 8192;
/** Microseconds that a packet may be exported before its time: the precision of timers. */
const AHEAD_MICROS = 1000;

// The cells of the counts.
const PACKETS = 0;
const OCTETS = 1;
const CAPTURED = 2;

/** One replay: see the head of the file. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #source: CaptureSource;
  readonly #reader = new CaptureReader();
  readonly #time = new CaptureClock();
  /** The exporter's clock at the recorded speed; packets wait by the same clock. */
  readonly #machineTime = new BatchClock(systemClock);
  readonly #exporter: Exporter;
  /** Work that the exporter has deferred to the end of a batch. */
  readonly #deferred: (() => void)[] = [];
  /** Counts, in cells because they outgrow small integers. */
  readonly #counts = new Float64Array(3);
  #outOfOrder = 0;
  #firstMicros: number | undefined;
  /** Difference between a packet's time and monotonic time, at the recorded speed. */
  #offsetMicros: number | undefined;
  #fault: string | undefined;
  /** Whether the reader stands at a packet that is not sampled yet. */
  #hasPacket = false;
  #isInterrupted = false;
  /** Ends the wait for a packet's time. */
  #wake: () => void = () => {};
  /** Packets of the current batch. */
  #batchPackets = 0;

  constructor(options: ReplayOptions, parts: ReplayParts) {
    this.#options = options;
    this.#source = parts.source;
    const putOff = (callback: () => void) => this.#deferred.push(callback);
    // At full speed the event loop does not run in between: deferred work runs when the collectors can take messages.
    const timing =
      options.speed === 'max'
        ? { clock: this.#time, defer: putOff, pace: { next: putOff } }
        : { clock: this.#machineTime };
    const { log, openSession } = parts;
    this.#exporter = new Exporter('replay', options.exporter, { ...timing, log, openSession });
  }

  /** Reads to the end of the file, to its first fault or to `interrupt`, and flushes. */
  async run(): Promise<void> {
    // The exporter's start time is that of the first packet.
    if (await this.#readOn()) {
      this.#firstMicros = this.#reader.packet.timeMicros[0]!;
      this.#time.advance(this.#reader.packet.timeMicros);
      this.#exporter.start();
      do {
        if (this.#options.speed === 'recorded') {
          await this.#waitForTime();
        }
        if (this.#isInterrupted) {
          break;
        }
        if (this.#sampleOn()) {
          await this.#roomAtCollectors();
        }
      } while (!this.#isInterrupted && (this.#hasPacket || (await this.#readOn())));
      await this.#flush();
    }
    this.#source.close();
  }

  /** Stops reading; `run` flushes and returns. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#wake();
  }

  status(): ReplayStatus {
    const hasPackets = this.#counts[PACKETS]! > 0;
    return {
      packets: this.#counts[PACKETS]!,
      octets: this.#counts[OCTETS]!,
      octetsCaptured: this.#counts[CAPTURED]!,
      outOfOrder: this.#outOfOrder,
      firstMicros: this.#firstMicros,
      lastMicros: hasPackets ? this.#time.wallMicros() : undefined,
      fault: this.#fault,
      isInterrupted: this.#isInterrupted,
      fileBytes: this.#source.fileBytes,
      fileBytesRead: this.#source.readBytes,
      exporter: this.#exporter.status(),
    };
  }

  /**
   * The packet path: nothing is allocated here. Samples the packet that the reader stands at and, at full speed, some
   * behind it; true when a collector has to be waited for.
   */
  #sampleOn(): boolean {
    const { observationDomainId: domainId, observationPointId: pointId, speed } = this.#options;
    const reader = this.#reader;
    const exporter = this.#exporter;
    const time = this.#time;
    const { packet, memory } = reader;
    const packetsMax = speed === 'recorded' ? 1 : Math.min(LOOK_PACKETS, BATCH_PACKETS - this.#batchPackets);
    let packets = 0;
    let octets = 0;
    let captured = 0;
    do {
      const { start, end, originalLength } = packet;
      if (!time.advance(packet.timeMicros)) {
        this.#outOfOrder += 1;
      }
      exporter.sample(memory, start, end, originalLength, 1, domainId, pointId, UNKNOWN_INTERFACE);
      packets += 1;
      octets += originalLength;
      captured += end - start;
      this.#hasPacket = this.#moveOn();
    } while (this.#hasPacket && packets < packetsMax);
    const counts = this.#counts;
    counts[PACKETS]! += packets;
    counts[OCTETS]! += octets;
    counts[CAPTURED]! += captured;
    this.#batchPackets += packets;
    if (this.#batchPackets >= BATCH_PACKETS) {
      this.#batchPackets = 0;
      this.#runDeferred();
    }
    return exporter.backlogCount > BACKLOG_MAX;
  }

  /** Moves to the next packet that has been read; an error of the file ends the replay. */
  #moveOn(): boolean {
    try {
      return this.#reader.next();
    } catch (error) {
      this.#setFault(error);
      return false;
    }
  }

  /** Reads until there is a packet; false at the end of the file, or at an error of its format. */
  async #readOn(): Promise<boolean> {
    try {
      while (this.#fault === undefined && !this.#isInterrupted) {
        await this.#roomAtCollectors();
        const filled = this.#source.fill(this.#reader);
        if (!(typeof filled === 'boolean' ? filled : await filled)) {
          this.#reader.finish();
          return false;
        }
        if (this.#moveOn()) {
          return true;
        }
      }
    } catch (error) {
      this.#setFault(error);
    }
    return false;
  }

  #setFault(error: unknown): void {
    if (!(error instanceof CaptureError || error instanceof CaptureSourceError)) {
      throw error;
    }
    this.#fault = error.message;
  }

  /** Lets the event loop run, and waits while the send queue of a reachable collector is long. */
  async #roomAtCollectors(): Promise<void> {
    let backlog = this.#exporter.backlogCount;
    do {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const before = backlog;
      backlog = this.#exporter.backlogCount;
      // The queue is polled, so that waiting needs no processor time.
      if (backlog >= before && backlog > BACKLOG_LOW) {
        await new Promise<void>((resolve) => systemClock.setTimer(resolve, 1));
        backlog = this.#exporter.backlogCount;
      }
    } while (backlog > BACKLOG_LOW);
  }

  #runDeferred(): void {
    for (const callback of this.#deferred.splice(0)) {
      callback();
    }
  }

  async #waitForTime(): Promise<void> {
    const packetMicros = this.#reader.packet.timeMicros[0]!;
    this.#offsetMicros ??= packetMicros - this.#machineTime.monotonicMicros();
    while (!this.#isInterrupted) {
      const early = packetMicros - this.#offsetMicros - this.#machineTime.monotonicMicros();
      if (early < AHEAD_MICROS) {
        return;
      }
      await new Promise<void>((resolve) => {
        const timer = systemClock.setTimer(resolve, early / 1000);
        this.#wake = () => {
          timer.cancel();
          resolve();
        };
      });
    }
  }

  async #flush(): Promise<void> {
    const stopped = this.#exporter.stop();
    while (this.#exporter.state !== 'stopped') {
      this.#runDeferred();
      await this.#roomAtCollectors();
    }
    await stopped;
  }
}

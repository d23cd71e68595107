// One replay: sends the packets of captures through an exporter as samples of weight 1, as fast as possible or at the recorded
// speed. Exporter, cache, encoder and sessions are those of the daemon; only the source of frames and time differs. Reading
// waits for the collectors, so that no record is lost here.

import { CAPTURE_BUFFER_BYTES, type CaptureReader } from '../../capture/capture-reader.ts';
import { BatchClock } from '../../export/batch-clock.ts';
import type { OpenSession } from '../../export/collector-session.ts';
import { Exporter } from '../../export/exporter.ts';
import type { ExporterOptions } from '../../export/exporter-options.ts';
import type { ExporterStatus } from '../../export/exporter-status.ts';
import type { MakeFlowEngine } from '../../flow/flow-engine.ts';
import { RecordRun } from '../../flow/record-run.ts';
import { UNKNOWN_INTERFACE } from '../../intake/ingress-interfaces.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { CaptureClock } from './capture-clock.ts';
import type { CaptureFile } from './capture-file.ts';
import { CaptureInput } from './capture-input.ts';
import type { PacketFilter } from './packet-filter.ts';
import { TimeCheck } from './time-check.ts';

/** Options of a replay, validated. */
export interface ReplayOptions {
  readonly exporter: ExporterOptions;
  readonly speed: 'max' | 'recorded';
  readonly observationDomainId: number;
  readonly observationPointId: number;
}

export interface ReplayParts {
  /** Files, folders, or `-` for standard input. */
  readonly paths: readonly string[];
  /** Packets that do not match are read and not counted in flows. */
  readonly filter: PacketFilter | undefined;
  readonly log: Logger;
  readonly openSession: OpenSession;
  /** Creates the cache of flows. */
  readonly makeEngine?: MakeFlowEngine | undefined;
}

/** Counts of a replay; octets are those of whole frames. */
export interface ReplayStatus {
  readonly packets: number;
  readonly octets: number;
  /** Octets of the frames in the file, fewer than `octets` when it was captured with a snap length. */
  readonly octetsCaptured: number;
  /** Packets whose time is before that of the previous packet; the previous time is used for them. */
  readonly outOfOrder: number;
  /** Packets that the filter has left out. */
  readonly filteredOut: number;
  /** Packets whose link type is not read, by link type; they are not in `packets`. */
  readonly skipped: ReadonlyMap<number, number>;
  /** Times of capture in microseconds since 1970; undefined before the first packet. */
  readonly firstMicros: number | undefined;
  readonly lastMicros: number | undefined;
  /** Why captures could not be read to their ends; the packets before are exported. */
  readonly faults: readonly string[];
  /** What may be wrong with the capture, as sentences; nothing is missing because of it. */
  readonly warnings: readonly string[];
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
/** Microseconds of capture after which a batch of packets ends: those of a slow capture are not exported late. */
const BATCH_MICROS = 10_000;
/** The export time of a message is a whole second: flows that have expired may be passed on until then. */
const PASS_MICROS = 1_000_000;
/** Microseconds that a packet may be exported before its time: the precision of timers. */
const AHEAD_MICROS = 1000;

// The cells of the counts.
const PACKETS = 0;
const OCTETS = 1;
const CAPTURED = 2;
const FILTERED = 3;

/** One replay: see the head of the file. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #input: CaptureInput;
  readonly #filter: PacketFilter | undefined;
  readonly #timeCheck = new TimeCheck(systemClock.wallMicros());
  readonly #time = new CaptureClock();
  /** The exporter's clock at the recorded speed; packets wait by the same clock. */
  readonly #machineTime = new BatchClock(systemClock);
  readonly #exporter: Exporter;
  /** Memory in which the engine reads records itself, and the run that it reads. */
  readonly #frames: Buffer | undefined;
  readonly #run: RecordRun;
  #runReader: CaptureReader | undefined;
  /** Work that the exporter has deferred to the end of a batch. */
  readonly #deferred: (() => void)[] = [];
  /** Counts, in cells because they outgrow small integers. */
  readonly #counts = new Float64Array(4);
  #outOfOrder = 0;
  #firstMicros: number | undefined;
  /** Difference between a packet's time and monotonic time, at the recorded speed. */
  #offsetMicros: number | undefined;
  #isInterrupted = false;
  /** Ends the wait for a packet's time. */
  #wake: () => void = () => {};
  /** Packets of the current batch. */
  #batchPackets = 0;

  constructor(options: ReplayOptions, parts: ReplayParts) {
    this.#options = options;
    this.#filter = parts.filter;
    const control = {
      beforeRead: () => {
        this.#exporter.endBatch();
        return this.#roomAtCollectors();
      },
      isInterrupted: () => this.#isInterrupted,
    };
    const putOff = (callback: () => void) => this.#deferred.push(callback);
    // At full speed the event loop does not run in between: deferred work runs when the collectors can take messages.
    const timing =
      options.speed === 'max'
        ? { clock: this.#time, defer: putOff, pace: { next: putOff }, hasBatches: true }
        : { clock: this.#machineTime };
    const { log, openSession, makeEngine } = parts;
    this.#exporter = new Exporter('replay', options.exporter, { ...timing, log, openSession, makeEngine });
    this.#frames = this.#exporter.takeFrameMemory(CAPTURE_BUFFER_BYTES);
    this.#input = new CaptureInput(parts.paths, control, this.#timeCheck.latest[0]!, this.#frames);
    this.#run = new RecordRun(({ count, at, lastMicros }) => {
      this.#runReader?.passRecords(count, at);
      this.#time.advance(lastMicros);
    });
    this.#run.batchMicros = BATCH_MICROS;
    this.#run.passMicros = PASS_MICROS;
    this.#run.domain = options.observationDomainId;
    this.#run.observationPointId = options.observationPointId;
    this.#run.ingressInterface = UNKNOWN_INTERFACE;
  }

  /** Reads to the end of each capture, to its first fault or to `interrupt`, and flushes. */
  async run(): Promise<void> {
    try {
      await this.#input.begin();
      const first = await this.#input.next();
      if (first !== undefined) {
        await this.#export(first);
      }
    } finally {
      this.#input.close();
    }
  }

  /** Stops reading; `run` flushes and returns. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#input.interrupt();
    this.#wake();
  }

  status(): ReplayStatus {
    const hasPackets = this.#counts[PACKETS]! > 0;
    return {
      packets: this.#counts[PACKETS]!,
      octets: this.#counts[OCTETS]!,
      octetsCaptured: this.#counts[CAPTURED]!,
      outOfOrder: this.#outOfOrder,
      filteredOut: this.#counts[FILTERED]!,
      skipped: this.#input.skipped,
      firstMicros: this.#firstMicros,
      lastMicros: hasPackets ? this.#time.wallMicros() : undefined,
      faults: this.#input.faults,
      warnings: [...this.#timeCheck.warnings(), ...ignoredFiles(this.#input.ignored)],
      isInterrupted: this.#isInterrupted,
      fileBytes: this.#input.fileBytes,
      fileBytesRead: this.#input.readBytes,
      exporter: this.#exporter.status(),
    };
  }

  async #export(first: CaptureFile): Promise<void> {
    // The exporter's start time is that of the first packet.
    const { timeMicros } = first.reader.packet;
    this.#firstMicros = timeMicros[0]!;
    this.#time.advance(timeMicros);
    this.#exporter.start();
    for (let file: CaptureFile | undefined = first; file !== undefined && !this.#isInterrupted; ) {
      if (this.#options.speed === 'recorded') {
        await this.#waitForTime(file);
        if (this.#isInterrupted) {
          break;
        }
      }
      if (this.#sampleOn(file)) {
        await this.#roomAtCollectors();
      }
      if (!file.hasPacket || !this.#input.isFirst(file)) {
        file = await this.#input.next();
      }
    }
    await this.#flush();
  }

  /**
   * The packet path: nothing is allocated here. Samples the packet that the capture stands at and, at full speed, some
   * behind it; true when a collector has to be waited for.
   */
  #sampleOn(file: CaptureFile): boolean {
    const { observationDomainId: domainId, observationPointId: pointId, speed } = this.#options;
    const { limitMicros } = this.#input;
    const filter = this.#filter;
    const exporter = this.#exporter;
    const time = this.#time;
    const batchUntil = this.#run.batchEndMicros;
    const { packet, memory } = file.reader;
    const { timeMicros } = packet;
    if (timeMicros[0]! > this.#timeCheck.latest[0]!) {
      this.#timeCheck.add(file);
    }
    const run = this.#run;
    const hasRuns = speed === 'max' && filter === undefined && this.#hasRuns(file);
    const batchLeft = BATCH_PACKETS - this.#batchPackets;
    const runsMax = hasRuns ? batchLeft : 0;
    const packetsMax = speed === 'recorded' ? 1 : Math.max(runsMax, Math.min(LOOK_PACKETS, batchLeft));
    let packets = 0;
    let octets = 0;
    let captured = 0;
    let filtered = 0;
    let isFull = false;
    do {
      const { start, end, originalLength } = packet;
      if (timeMicros[0]! > batchUntil[0]!) {
        exporter.endBatch();
        batchUntil[0] = timeMicros[0]! + BATCH_MICROS;
      }
      if (!time.advance(timeMicros)) {
        this.#outOfOrder += 1;
      }
      if (filter === undefined || filter.matches(memory, start, end)) {
        exporter.sample(memory, start, end, originalLength, 1, domainId, pointId, UNKNOWN_INTERFACE);
      } else {
        filtered += 1;
      }
      packets += 1;
      octets += originalLength;
      captured += end - start;
      // A run may expire hundreds of flows, so that the queue is looked at before each.
      isFull = hasRuns && exporter.backlogCount > BACKLOG_MAX;
      while (!isFull && packets < runsMax && this.#sampleRun(file, runsMax - packets)) {
        packets += run.count;
        octets += run.octets[0]!;
        captured += run.captured;
        isFull = exporter.backlogCount > BACKLOG_MAX;
      }
    } while (file.moveOn() && !isFull && packets < packetsMax && timeMicros[0]! <= limitMicros[0]!);
    const counts = this.#counts;
    counts[PACKETS]! += packets;
    counts[OCTETS]! += octets;
    counts[CAPTURED]! += captured;
    counts[FILTERED]! += filtered;
    this.#batchPackets += packets;
    if (this.#batchPackets >= BATCH_PACKETS) {
      this.#batchPackets = 0;
      this.#runDeferred();
    }
    return exporter.backlogCount > BACKLOG_MAX;
  }

  /** Whether the engine can read the records of the file itself. */
  #hasRuns({ reader }: CaptureFile): boolean {
    return reader.memory === this.#frames && reader.hasPlainRecords;
  }

  /** Samples packets behind the current one that need nothing but to be counted, up to those that expire flows; false without any. */
  #sampleRun({ reader }: CaptureFile, countMax: number): boolean {
    const run = this.#run;
    const time = this.#time;
    this.#runReader = reader;
    run.at = reader.restStart;
    run.end = reader.restEnd;
    run.countMax = countMax;
    run.lastMicros[0] = time.monotonicMicros();
    run.untilMicros[0] = this.#input.limitMicros[0]!;
    run.beforeMicros[0] = time.nextMicros;
    this.#exporter.addRecords(run);
    return run.count > 0;
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

  async #waitForTime({ timeMicros: packetMicros }: CaptureFile): Promise<void> {
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

function ignoredFiles(files: readonly string[]): string[] {
  return files.length === 0
    ? []
    : [`Files left out because they are not captures: ${files.length}, the first is "${files[0]}".`];
}

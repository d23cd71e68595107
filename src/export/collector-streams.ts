// The streams of an exporter, one for each of its collectors. A message goes to all of them, or to the one that is chosen for it; a
// change of the collectors keeps the sessions of those that stay. Where one is chosen, collectors that are not used get templates now
// and then, by which the session finds out whether they work: over UDP nothing else tells.

import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { CollectorChoice, type DeliveryMode, type DeliveryOptions } from './collector-choice.ts';
import type { CollectorTarget, OpenSession } from './collector-session.ts';
import { type CollectorStatus, CollectorStream, type MessageTime } from './collector-stream.ts';
import { targetKey } from './exporter-options.ts';
import type { RemovedCollectors } from './exporter-status.ts';
import type { OpenMessage } from './open-message.ts';
import type { PacedCollectors } from './pacer.ts';
import type { SendBudget } from './send-budget.ts';
import type { StreamOptions } from './stream-options.ts';

/** Milliseconds between two checks whether collectors work, where one is chosen. */
export const CHECK_MS = 1000;
/** Seconds between two messages with templates to a collector that is not used. */
export const PROBE_SECONDS = 10;

/** A collector with its target. */
export interface CollectorOfTarget {
  readonly target: CollectorTarget;
  readonly status: CollectorStatus;
}

/** What the streams need from outside. */
export interface CollectorStreamsParts {
  readonly openSession: OpenSession;
  /** How fast messages are sent over UDP; undefined: without a limit. */
  readonly budget: SendBudget | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when `messageBytesMax` may have changed. */
  readonly onMessageBytes: () => void;
  /** The times of a message of a domain that is sent now. */
  readonly timeNow: (observationDomainId: number) => MessageTime;
}

export class CollectorStreams implements PacedCollectors {
  readonly #parts: CollectorStreamsParts;
  #streams = new Map<string, CollectorStream>();
  /** In the order of preference. */
  #list: readonly CollectorStream[] = [];
  #delivery: DeliveryOptions | undefined;
  /** Undefined: each collector gets each record. */
  #choice: CollectorChoice | undefined;
  /** The last message's; undefined before the first, when there are no templates to send. */
  #observationDomainId: number | undefined;
  #timer: Timer | undefined;
  #checkCount = 0;
  readonly #removed = { recordsLost: 0, recordsDeliveryUnknown: 0 };
  /** Removed collectors that still send what waits. */
  readonly #leaving = new Set<Promise<number>>();

  constructor(parts: CollectorStreamsParts) {
    this.#parts = parts;
  }

  /** The longest message that fits the paths to all collectors, in bytes; Infinity if none is known. */
  get messageBytesMax(): number {
    let bytes = Number.POSITIVE_INFINITY;
    for (const stream of this.#list) {
      bytes = Math.min(bytes, stream.messageBytesMax ?? bytes);
    }
    return bytes;
  }

  /** Messages that wait at the collector with the longest backlog. */
  get backlogCount(): number {
    let count = 0;
    for (const stream of this.#list) {
      count = Math.max(count, stream.backlogCount);
    }
    return count;
  }

  /**
   * The same for the pacer: outside of a stop, a queue in memory takes what a collector over TCP does not read, so that it does not
   * delay the others.
   */
  get pacedBacklogCount(): number {
    const isOrdinary = this.#parts.budget !== undefined && this.leftMs === Number.POSITIVE_INFINITY;
    let count = 0;
    for (const stream of this.#list) {
      count = isOrdinary && stream.isReliable ? count : Math.max(count, stream.backlogCount);
    }
    return count;
  }

  /** The groups that flows are divided into, one for each collector where the load is balanced; each has messages of its own. */
  get groupCount(): number {
    return this.#choice !== undefined && this.#mode === 'balance' ? this.#list.length : 1;
  }

  /** How often a collector had failed or was used again. */
  get changes(): number {
    return this.#choice?.changes ?? 0;
  }

  /** Returns the group of a flow by its hash, where there is more than one. */
  groupOf(hash: number): number {
    return this.#choice?.ofFlow(hash) ?? 0;
  }

  /** Milliseconds until the send budget of all collectors allows the next slice of records; 0: now. */
  waitMs(): number {
    let ms = 0;
    for (const stream of this.#list) {
      ms = Math.max(ms, stream.waitMs());
    }
    return ms;
  }

  /** Notes for how many microseconds the oldest flow has been due: later flows are sent faster. */
  setLateness(micros: number): void {
    for (const stream of this.#list) {
      stream.setLateness(micros);
    }
  }

  /** Counts a slice of records that waited for the send budget. */
  countDelay(): void {
    this.#parts.budget?.countDelay();
  }

  /** Milliseconds that are left at a stop; Infinity before one. */
  get leftMs(): number {
    return this.#parts.budget?.leftMs ?? Number.POSITIVE_INFINITY;
  }

  /** Notes that the records of so many flows will follow. */
  expect(flowCount: number): void {
    const used = this.#list.filter((_, index) => this.#isInUse(index));
    for (const stream of used) {
      stream.expect(this.#mode === 'balance' ? Math.ceil(flowCount / used.length) : flowCount);
    }
  }

  /** Opens new collectors, passes the options to those that stay, and stops the others. */
  setTargets(
    targets: readonly CollectorTarget[],
    options: StreamOptions,
    delivery: DeliveryOptions | undefined,
  ): void {
    const { openSession, budget, onMessageBytes } = this.#parts;
    const open: OpenSession = (target, listener) =>
      openSession(target, { ...listener, messageBytesChanged: onMessageBytes });
    const streams = new Map<string, CollectorStream>();
    for (const target of targets) {
      const key = targetKey(target);
      const known = this.#streams.get(key);
      known?.setOptions(options);
      const stream = known ?? streams.get(key);
      streams.set(key, stream ?? new CollectorStream(target, open, options, budget));
    }
    const before = this.#streams;
    const usedBefore = new Set(this.#list.filter((_, index) => this.#isInUse(index)));
    this.#streams = streams;
    this.#list = [...streams.values()];
    const isSameOrder = [...before.keys()].join('\n') === [...streams.keys()].join('\n');
    if (!isSameOrder || !this.#hasDelivery(delivery)) {
      this.#setDelivery(delivery);
    }
    for (const stream of this.#list.filter((_, index) => this.#isInUse(index))) {
      if (!usedBefore.has(stream)) {
        // While it was not used it got the templates of one domain at most, and may have restarted.
        stream.requireTemplates();
      }
    }
    for (const [key, stream] of before) {
      if (!streams.has(key)) {
        this.#stopStream(stream);
      }
    }
    for (const [key, stream] of streams) {
      if (!before.has(key)) {
        stream.start();
      }
    }
  }

  /** Passes the options to all collectors. */
  setOptions(options: StreamOptions): void {
    for (const stream of this.#list) {
      stream.setOptions(options);
    }
  }

  /** Sends a message, whose flows are those of the group where there are several. */
  deliver(message: OpenMessage, group: number): void {
    const choice = this.#choice;
    if (choice === undefined) {
      for (const stream of this.#list) {
        stream.deliver(message);
      }
      return;
    }
    this.#observationDomainId = message.writer.observationDomainId;
    this.#check(choice);
    const index = this.#mode === 'failover' ? choice.active : choice.ofMessage(group);
    this.#list[index]?.deliver(message);
  }

  /** The losses of collectors that were removed and closed. */
  removedCollectors(): RemovedCollectors {
    return { ...this.#removed };
  }

  collectors(): readonly CollectorOfTarget[] {
    return this.#list.map((stream, index) => ({
      target: stream.target,
      status: stream.status(this.#isInUse(index)),
    }));
  }

  /**
   * Waits until all collectors, removed ones included, have sent what waits, and closes them; resolves to the records that
   * could not be sent in time.
   */
  async stop(): Promise<number> {
    this.#timer?.cancel();
    const { leftMs } = this;
    const stopping = this.#list.map((stream) => stream.stop(leftMs));
    const lost = await Promise.all([...stopping, ...this.#leaving]);
    return lost.reduce((sum, count) => sum + count, 0);
  }

  get #mode(): DeliveryMode {
    return this.#delivery?.mode ?? 'all';
  }

  #isInUse(index: number): boolean {
    const choice = this.#choice;
    if (choice === undefined) {
      return true;
    }
    return this.#mode === 'failover' ? choice.active === index : choice.isUsable(index);
  }

  /** Whether records are given in this way already: then the choice goes on, with its hold times. */
  #hasDelivery(delivery: DeliveryOptions | undefined): boolean {
    const { mode, failbackSeconds } = this.#delivery ?? {};
    return mode === delivery?.mode && failbackSeconds === delivery?.failbackSeconds;
  }

  /** A new choice begins with all collectors; those that have failed are noticed at the next check. */
  #setDelivery(delivery: DeliveryOptions | undefined): void {
    this.#delivery = delivery;
    this.#timer?.cancel();
    this.#timer = undefined;
    const isChosen = this.#mode !== 'all' && this.#list.length > 1;
    this.#choice = isChosen
      ? new CollectorChoice(this.#list.length, delivery?.failbackSeconds ?? 0)
      : undefined;
    if (isChosen) {
      this.#setTimer();
    }
  }

  #setTimer(): void {
    this.#timer = this.#parts.clock.setTimer(() => {
      this.#setTimer();
      if (this.#choice !== undefined) {
        this.#check(this.#choice);
        this.#checkCount += 1;
        if ((this.#checkCount * CHECK_MS) % (PROBE_SECONDS * 1000) === 0) {
          this.#probeUnused();
        }
      }
    }, CHECK_MS);
  }

  /** Follows the state of the sessions. A collector gets templates before the first records after a while. */
  #check(choice: CollectorChoice): void {
    const activeBefore = choice.active;
    const nowMicros = this.#parts.clock.monotonicMicros();
    for (let index = 0; index < this.#list.length; index += 1) {
      const stream = this.#list[index]!;
      if (choice.update(index, stream.health, nowMicros)) {
        this.#changed(stream, choice.isUsable(index));
      }
    }
    const { active } = choice;
    if (this.#mode === 'failover' && active !== activeBefore) {
      const stream = this.#list[active]!;
      stream.requireTemplates();
      this.#parts.log.info(`collector ${stream.target.text}: records go to it from now on`);
    }
  }

  #changed(stream: CollectorStream, isUsable: boolean): void {
    const { log } = this.#parts;
    if (isUsable) {
      stream.requireTemplates();
      log.info(`collector ${stream.target.text}: works again`);
    } else {
      log.warn(`collector ${stream.target.text}: has failed, records go to others that work`);
    }
  }

  #probeUnused(): void {
    const domain = this.#observationDomainId;
    if (domain === undefined) {
      return;
    }
    for (let index = 0; index < this.#list.length; index += 1) {
      if (!this.#isInUse(index)) {
        this.#list[index]!.probe(this.#parts.timeNow(domain));
      }
    }
  }

  #stopStream(stream: CollectorStream): void {
    const stopped = stream.stop(this.leftMs).then((lost) => {
      const { recordsLost, recordsDeliveryUnknown } = stream.status(false);
      this.#removed.recordsLost += recordsLost;
      this.#removed.recordsDeliveryUnknown += recordsDeliveryUnknown;
      return lost;
    });
    const left = stopped.finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}

// The sockets of one bridge's redirected collector sets. Each set has a socket of its own, because ovs-vswitchd has an exporter for
// each set, and nothing in its records names the set. Their senders are looked up again and again in the table of the kernel: a
// connected socket does not show that its sender is gone, as after a change of the row.

import type { FlowSampling } from '../config/configuration.ts';
import type { IpfixRow } from '../config/ipfix-row.ts';
import type { SampleSink } from '../intake/bridge-intake.ts';
import type { IngressInterfaces } from '../intake/ingress-interfaces.ts';
import { SetIntake, type SetIntakeStatus } from '../intake/set-intake.ts';
import { knownTemplates, type SwitchTemplate } from '../intake/switch-templates.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { LoopbackReceiver, type LoopbackReceiverStatus } from '../runtime/loopback-receiver.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { TurnQueue } from '../runtime/turns.ts';
import { UdpPeerTable, udpPeersByPort } from '../runtime/udp-peers.ts';
import { receiveLast } from './datapath-drain.ts';
import { otherTemplateReporter } from './other-template.ts';
import { targetsColumnOf } from './row-change.ts';
import type { SampleGate } from './sample-gate.ts';
import type { SampleProbabilities } from './sample-probabilities.ts';

/** The dependencies of `RedirectedSets`. */
export interface RedirectedSetsParts {
  readonly bridge: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly interfaces: IngressInterfaces;
  /** Random 32-bit numbers, the seeds of samplers. */
  readonly randomSeed: () => number;
  readonly probabilities: SampleProbabilities;
  /** What samples pass. */
  readonly gate: SampleGate;
  /** Returns whether sockets of a user may be those of ovs-vswitchd. */
  readonly isSwitchUser: (userId: number) => boolean;
  /** Called when sockets have been opened, on which the rows depend. */
  readonly onOpen: () => void;
}

/** The samples of a redirected set and its socket, for operators. */
export interface RedirectedSetStatus extends SetIntakeStatus {
  readonly port: number | undefined;
  readonly receiver: LoopbackReceiverStatus;
}

interface RedirectedSet {
  readonly receiver: LoopbackReceiver;
  /** The row that was last read. */
  row: IpfixRow;
  /** Undefined until the socket is open. */
  port: number | undefined;
  intake: SetIntake;
  hasVirtualId: boolean;
  /** What ovs-vswitchd reads of the row: it has another socket after a change. */
  exporter: string;
  /** The column `targets`: after a change, samples may have been sent elsewhere. */
  target: string;
}

/** Sets whose sockets are opened in a turn. */
const SETS_PER_TURN = 16;
/** Milliseconds between two look-ups of the senders. */
const SENDER_CHECK_MS = 500;
/** In IPFIX.other_config: it adds an element to the records. */
const VIRTUAL_ID_KEY = 'virtual_obs_id';

export class RedirectedSets {
  readonly #parts: RedirectedSetsParts;
  readonly #sets = new Map<number, RedirectedSet>();
  /** The templates of ovs-vswitchd, without and with the element of `virtual_obs_id`. */
  readonly #templates = new Map<boolean, Map<number, SwitchTemplate>>();
  readonly #peers = new UdpPeerTable();
  #timer: Timer | undefined;
  #isIncomplete = false;
  /** Sets whose sockets are to be opened, and the number of those that are being opened. */
  readonly #unopened = new TurnQueue<readonly [number, FlowSampling]>(SETS_PER_TURN, ([id, { row }]) =>
    this.#openNext(id, row),
  );
  #opening = 0;

  constructor(parts: RedirectedSetsParts) {
    this.#parts = parts;
  }

  /** Whether a socket could not be opened, so that it is to be tried again. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  /** Whether sockets are being opened. */
  get isOpening(): boolean {
    return this.#opening > 0 || this.#unopened.size > 0;
  }

  /** Opens the sockets of sets that have none, and closes those of other sets. */
  configure(sets: ReadonlyMap<number, FlowSampling>): void {
    this.#isIncomplete = false;
    for (const [id, set] of this.#sets) {
      if (!sets.has(id)) {
        this.#sets.delete(id);
        this.#close(set.receiver);
      }
    }
    for (const [id, { row }] of sets) {
      const set = this.#sets.get(id);
      if (set !== undefined) {
        this.#follow(id, set, row);
      }
    }
    this.#unopened.replace([...sets].filter(([id]) => !this.#sets.has(id)));
    if (sets.size > 0) {
      this.#timer ??= this.#arm();
    } else {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }

  #openNext(id: number, row: IpfixRow): void {
    this.#opening += 1;
    void this.#open(id, row).then(() => {
      this.#opening -= 1;
      // All together, so that their rows are written together.
      if (!this.isOpening && !this.#isIncomplete) {
        this.#parts.onOpen();
      }
    });
  }

  /** The port on 127.0.0.1 that samples of a set are sent to; undefined before it is open. */
  portOf(collectorSetId: number): number | undefined {
    return this.#sets.get(collectorSetId)?.port;
  }

  /** Sets where samples of a set go; undefined while its row is not redirected. */
  setSink(collectorSetId: number, sink: SampleSink | undefined): void {
    this.#sets.get(collectorSetId)?.intake.setSink(sink);
  }

  /** The bridge has lost its connection: a restarted ovs-vswitchd sends from other sockets. */
  disconnected(): void {
    for (const { receiver } of this.#sets.values()) {
      receiver.reset();
    }
  }

  status(collectorSetId: number): RedirectedSetStatus | undefined {
    const set = this.#sets.get(collectorSetId);
    return set && { ...set.intake.status(), port: set.port, receiver: set.receiver.status() };
  }

  /** Receives what is on its way, and closes the sockets. */
  async stop(): Promise<void> {
    this.#unopened.replace([]);
    this.#timer?.cancel();
    if (this.#sets.size > 0) {
      await receiveLast(this.#parts.clock);
    }
    await Promise.all([...this.#sets.values()].map(({ receiver }) => receiver.stop()));
  }

  /** Opens the socket of a set; resolves when it is open, or has been reported not to open. */
  async #open(id: number, row: IpfixRow): Promise<void> {
    const { clock, log, bridge, gate, isSwitchUser } = this.#parts;
    const hasVirtualId = row.otherConfig.has(VIRTUAL_ID_KEY);
    const receiver = new LoopbackReceiver({
      clock,
      isTrusted: isSwitchUser,
      peers: this.#peers,
      // For a row that has not changed, another socket is that of another ovs-vswitchd.
      onOtherSender: () => set.intake.restartAccount(true),
      onDatagram: gate.datagrams((bytes) => set.intake.receive(bytes, bytes.length)),
    });
    const set: RedirectedSet = {
      receiver,
      row,
      port: undefined,
      intake: this.#newIntake(id, hasVirtualId),
      hasVirtualId,
      exporter: exporterOf(row),
      target: targetsColumnOf(row).join(' '),
    };
    this.#sets.set(id, set);
    try {
      await receiver.start();
      set.port = receiver.port;
    } catch (error) {
      // It is opened again with the next change of rows, or when the senders are checked next.
      this.#sets.delete(id);
      this.#isIncomplete = true;
      log
        .limited('sockets of sets')
        .warn(`bridge ${bridge}: no socket for samples of collector set ${id}: ${reasonOf(error)}`);
    }
  }

  #follow(id: number, set: RedirectedSet, row: IpfixRow): void {
    if (row === set.row) {
      return;
    }
    set.row = row;
    const exporter = exporterOf(row);
    if (exporter === set.exporter) {
      return;
    }
    set.exporter = exporter;
    const hasVirtualId = row.otherConfig.has(VIRTUAL_ID_KEY);
    if (hasVirtualId !== set.hasVirtualId) {
      set.hasVirtualId = hasVirtualId;
      set.intake = this.#newIntake(id, hasVirtualId);
    }
    set.receiver.expectOther();
    const target = targetsColumnOf(row).join(' ');
    if (target !== set.target) {
      set.target = target;
      set.intake.restartAccount(false);
    }
  }

  #newIntake(id: number, hasVirtualId: boolean): SetIntake {
    const { bridge, log, interfaces, randomSeed, probabilities } = this.#parts;
    const templates = this.#templates.get(hasVirtualId) ?? knownTemplates(hasVirtualId);
    this.#templates.set(hasVirtualId, templates);
    const onOtherTemplate = otherTemplateReporter(bridge, log);
    const rates = probabilities.ofSet(id);
    return new SetIntake({ seed: randomSeed(), interfaces, templates, onOtherTemplate, rates });
  }

  #close(receiver: LoopbackReceiver): void {
    receiver.stop().catch((error: unknown) => {
      this.#parts.log.warn(`bridge ${this.#parts.bridge}: ${reasonOf(error)}`);
    });
  }

  #arm(): Timer {
    return this.#parts.clock.setTimer(() => {
      this.#timer = this.#arm();
      this.#checkSenders();
    }, SENDER_CHECK_MS);
  }

  /** Opens a connected socket to all again if its sender does not exist any more. */
  #checkSenders(): void {
    if (this.#isIncomplete) {
      this.#parts.onOpen();
    }
    const connected = [...this.#sets.values()].filter(({ receiver }) => receiver.senderPort !== undefined);
    const peers = connected.length === 0 ? undefined : udpPeersByPort();
    for (const { receiver, port: own } of connected) {
      const { senderPort } = receiver;
      const senders = peers?.get(own ?? 0) ?? [];
      if (!senders.some(({ port }) => port === senderPort)) {
        receiver.reset();
      }
    }
  }
}

/** Returns what ovs-vswitchd reads of a row, as a text to compare. */
function exporterOf(row: IpfixRow): string {
  const { cacheColumns, templateInterval, statsInterval, otherConfig } = row;
  return JSON.stringify([
    row.uuid,
    targetsColumnOf(row),
    cacheColumns,
    templateInterval,
    statsInterval,
    [...otherConfig],
  ]);
}

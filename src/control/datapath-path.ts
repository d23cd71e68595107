// The way of a bridge's samples from the datapath: its own rows, the socket that they name, and the test whether samples arrive.

import { PROBABILITY_ALL } from '../intake/sampler.ts';
import { NO_BUFFER } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { LoopbackReceiver, type LoopbackReceiverStatus } from '../runtime/loopback-receiver.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { sampleAction } from './hook.ts';
import type { OwnSet } from './own-rows-plan.ts';
import { PathTest } from './path-test.ts';
import type { PathState } from './sampler-choice.ts';

/** The dependencies of `DatapathPath`. */
export interface DatapathPathParts {
  readonly bridge: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The observation domain of the daemon's samples. */
  readonly domainToken: number;
  /** The bridge's own rows; undefined until the database has them. */
  readonly ownSet: () => OwnSet | undefined;
  /** Returns whether sockets of a user may be those of ovs-vswitchd. */
  readonly isSwitchUser: (userId: number) => boolean;
  /** Returns the number of records received since the start. */
  readonly recordsReceived: () => number;
  /** Called for each datagram; the bytes are only valid until the call returns. */
  readonly onDatagram: (bytes: Buffer, size: number) => void;
  /** Called when ovs-vswitchd sends from another exporter; `isFresh`: its totals began at 0. */
  readonly onNewExporter: (isFresh: boolean) => void;
  /** Called when `port` has changed, on which the own rows depend. */
  readonly onPort: () => void;
}

/** The own rows of a bridge and the socket that they name, for operators. */
export interface OwnRowsStatus extends Partial<OwnSet> {
  readonly port: number | undefined;
  readonly receiver: LoopbackReceiverStatus;
}

/** OFPP_CONTROLLER: the port that probes come from. */
const OFPP_CONTROLLER = 0xffff_fffd;
/** A frame with a local experimental EtherType, as a probe; it goes nowhere. */
const PROBE_FRAME = Buffer.concat([Buffer.alloc(12), Buffer.from([0x88, 0xb5]), Buffer.alloc(46)]);
/** The observation point of probes. */
const PROBE_POINT = 0;

export class DatapathPath {
  readonly #parts: DatapathPathParts;
  readonly #test = new PathTest();
  #receiver: LoopbackReceiver | undefined;
  #ownSet: OwnSet | undefined;
  /** The rows of the exporter that the account is of. */
  #accounted: OwnSet | undefined;

  constructor(parts: DatapathPathParts) {
    this.#parts = parts;
  }

  get state(): PathState {
    return this.#test.state;
  }

  /** See `PathTest.isSettled`. */
  get isSettled(): boolean {
    return this.#test.isSettled;
  }

  get ownSet(): OwnSet | undefined {
    return this.#ownSet;
  }

  /** The port on 127.0.0.1 that samples are sent to; undefined before it is open. */
  get port(): number | undefined {
    return this.#receiver?.port;
  }

  status(): OwnRowsStatus | undefined {
    const receiver = this.#receiver;
    return receiver && { ...this.#ownSet, port: receiver.port, receiver: receiver.status() };
  }

  /** Opens the socket; the database then gets the own rows. */
  open(): void {
    const { log, bridge, clock, onDatagram, onPort, isSwitchUser } = this.#parts;
    const receiver = new LoopbackReceiver({
      onDatagram,
      isTrusted: isSwitchUser,
      // For rows that have not changed, another socket is that of another ovs-vswitchd.
      onOtherSender: () => this.#parts.onNewExporter(true),
      clock,
    });
    this.#receiver = receiver;
    receiver.start().then(onPort, (error: unknown) => {
      log.warn(`bridge ${bridge}: no socket for samples: ${reasonOf(error)}`);
    });
  }

  async close(): Promise<void> {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#test.forget(this.#parts.recordsReceived());
    await receiver?.stop();
  }

  /** Follows a change of the own rows: ovs-vswitchd then sends from another socket, and for other rows from another exporter. */
  followRows(): void {
    const ownSet = this.#parts.ownSet();
    const isSame = isSameSet(ownSet, this.#ownSet);
    this.#ownSet = ownSet;
    if (isSame) {
      return;
    }
    this.#test.forget(this.#parts.recordsReceived());
    this.#receiver?.expectOther();
    if (ownSet !== undefined && !isSameSet(ownSet, this.#accounted)) {
      this.#accounted = ownSet;
      this.#parts.onNewExporter(false);
    }
  }

  /** The bridge has lost its connection: a restarted ovs-vswitchd sends from another socket. */
  disconnected(): void {
    this.#receiver?.reset();
  }

  /** The bridge has a new connection: the path keeps its state until a probe has had its time. */
  connected(): void {
    this.#test.restart(this.#parts.recordsReceived());
  }

  /** Tests the path, to be called some times a second; `expected` is the number of samples since the last call. */
  check(connection: BridgeConnection | undefined, expected: number, nowMs: number): void {
    const receiver = this.#receiver;
    const ownSet = this.#ownSet;
    if (ownSet === undefined || connection === undefined || receiver === undefined) {
      return;
    }
    if (this.#test.check(this.#parts.recordsReceived(), expected, nowMs)) {
      receiver.reset();
      this.#probe(connection, ownSet).catch((error: unknown) => {
        // The session reports a lost connection; a refused probe leaves the path untested.
        this.#parts.log.limited('probe').info(`bridge ${this.#parts.bridge}: ${reasonOf(error)}`);
      });
    }
  }

  /** Has ovs-vswitchd sample a frame that goes nowhere. */
  async #probe(connection: BridgeConnection, { collectorSetId }: OwnSet): Promise<void> {
    const sample = {
      probability: PROBABILITY_ALL,
      collectorSetId,
      observationDomainId: this.#parts.domainToken,
      observationPointId: PROBE_POINT,
    };
    await connection.apply('sample a test packet', [
      {
        type: 'packet_out',
        bufferId: NO_BUFFER,
        inPort: OFPP_CONTROLLER,
        actions: [sampleAction(sample)],
        packet: PROBE_FRAME,
      },
    ]);
  }
}

/** Whether two own sets are of the same exporter of ovs-vswitchd. */
function isSameSet(one: OwnSet | undefined, other: OwnSet | undefined): boolean {
  return one?.ipfixRow === other?.ipfixRow && one?.collectorSetId === other?.collectorSetId;
}

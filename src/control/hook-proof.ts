// Proves when the hook of a bridge was last installed. The switch answers requests in order, and a flow monitor on the same
// connection reports each change of the hook before it answers a later request. So an answer without such a report before it shows
// that the hook was installed when the request was sent, however long this process or ovs-vswitchd was paused meanwhile.

import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import type { SamplingGaps } from './sampling-gaps.ts';

export interface HookProofOptions {
  readonly bridge: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Notes when the hook was installed. */
  readonly gaps: Pick<SamplingGaps, 'seen' | 'prove'>;
}

export class HookProof {
  readonly #options: HookProofOptions;
  #connection: BridgeConnection | undefined;
  /** Whether the last reading on this connection has found the hook; true before the first one. */
  #isHookFound = true;
  #isAsking = false;

  constructor(options: HookProofOptions) {
    this.#options = options;
  }

  /** The bridge has a new connection, or none any more. */
  connected(connection: BridgeConnection | undefined): void {
    this.#connection = connection;
    this.#isHookFound = true;
  }

  /** Asks for a proof by an echo request, unless one is not answered yet. Returns whether there can be proofs. */
  ask(): boolean {
    const connection = this.#connection;
    if (connection?.reportsChanges !== true || !this.#isHookFound) {
      return false;
    }
    if (!this.#isAsking) {
      this.#isAsking = true;
      void this.#probe(connection);
    }
    return true;
  }

  /** Reads the packets of the hook, which is a proof as well; rejects if the connection ends. */
  async readPackets(): Promise<bigint | undefined> {
    const connection = this.#connection;
    if (connection === undefined) {
      return undefined;
    }
    const packets = await this.#proveBy(connection, () => connection.readHookPackets());
    if (connection === this.#connection) {
      this.#isHookFound = packets !== undefined;
      if (packets !== undefined && !connection.reportsChanges) {
        this.#options.gaps.seen();
      }
    }
    return packets;
  }

  async #probe(connection: BridgeConnection): Promise<void> {
    const { bridge, log } = this.#options;
    try {
      await this.#proveBy(connection, () => connection.probe());
    } catch (error) {
      // The session reports a lost connection.
      log.debug(`bridge ${bridge}: ${reasonOf(error)}`);
    } finally {
      this.#isAsking = false;
    }
  }

  async #proveBy<Answer>(connection: BridgeConnection, request: () => Promise<Answer>): Promise<Answer> {
    const { clock, gaps } = this.#options;
    const sentMicros = clock.monotonicMicros();
    const answer = await request();
    if (connection.reportsChanges) {
      gaps.prove(sentMicros);
    }
    return answer;
  }
}

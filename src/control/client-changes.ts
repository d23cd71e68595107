// Detects modifications by other clients that a rewriting has replaced, where flow monitors show flows in part only
// (checked-rewriting.ts). Each write shows what it has replaced. Events add how often a flow has changed: if that is once more
// than by the daemon, and the write has not shown another version, a version was replaced unseen.

import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../config/condition.ts';
import type { Instruction } from '../node-openflow/index.ts';
import type { ObservedFlow } from './flow-rewriting.ts';
import { changeOverwritten } from './translation-conditions.ts';

/** Lost changes that are named as conditions; the others are only counted. */
const LOST_MAX = 20;

export class ClientChanges {
  /** Changes by other clients that a write of the daemon has replaced, and that were written back. */
  restored = 0;
  /** Changes by other clients that a write of the daemon has replaced unseen. */
  lost = 0;
  /** Events about flows that are being written, by key. */
  readonly #events = new Map<string, number>();
  /** Flows that have changed once too often, and what the daemon sent for them: the next reading shows their version. */
  readonly #suspects = new Map<string, readonly Instruction[]>();
  readonly #lostFlows = new Map<string, ObservedFlow>();

  /** Whether flows have to be read for `verify`. */
  get hasSuspects(): boolean {
    return this.#suspects.size > 0;
  }

  count(key: string): void {
    this.#events.set(key, (this.#events.get(key) ?? 0) + 1);
  }

  isCounted(key: string): boolean {
    return this.#events.has(key);
  }

  /** Our write of a flow has replaced what was expected: there should be one event, or none if it has changed nothing. */
  acknowledge(key: string, replaced: readonly Instruction[], sent: readonly Instruction[]): void {
    const own = isDeepStrictEqual(replaced, sent) ? 0 : 1;
    if ((this.#events.get(key) ?? 0) > own) {
      this.#suspects.set(key, sent);
    }
  }

  /** All flows of a batch are acknowledged. */
  endBatch(): void {
    this.#events.clear();
  }

  /** A flow as it was read: when a suspect has the daemon's version, the other one is lost. */
  verify(key: string, flow: ObservedFlow): void {
    const sent = this.#suspects.get(key);
    if (sent !== undefined && isDeepStrictEqual(sent, flow.instructions)) {
      this.lost += 1;
      this.#lostFlows.set(key, flow);
    }
  }

  /** All flows have been read. */
  endReading(): void {
    this.#suspects.clear();
  }

  /** Another client has modified or removed the flow. */
  forgetFlow(key: string): void {
    this.#lostFlows.delete(key);
  }

  /** Flows are read again over the next connection. */
  forget(): void {
    this.#events.clear();
    this.#suspects.clear();
    this.#lostFlows.clear();
  }

  conditions(bridge: string): readonly Condition[] {
    return [...this.#lostFlows.values()].slice(0, LOST_MAX).map((flow) => changeOverwritten(bridge, flow));
  }
}

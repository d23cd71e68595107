// What the translation of a bridge's flows has done, for `status` and metrics.

export interface FlowTranslatorStatus {
  /** Flows that have a companion action for the set, by collector set id. */
  readonly flowsBySet: ReadonlyMap<number, number>;
  /** Flows rewritten since the start, each time counted. */
  readonly rewrites: number;
  /** Flows that the switch refused to have rewritten; they are retried when another client modifies them. */
  readonly refused: number;
  /** Flows that were not followed because of the limit, since all flows were last read. */
  readonly ignored: number;
  /** Modifications by other clients that a rewriting has replaced and that were written back, since the start. */
  readonly restored: number;
  /** Modifications by other clients that a rewriting has replaced and that are lost, since the start. */
  readonly lost: number;
}

// Notices that a flow of another client has the id of a bridge's own collector set in a `sample` action: its samples reach the
// daemon with another observation domain than the daemon's. The own set then moves to another id. Pure.

/** What a bridge's samples have brought since the start. */
export interface SampleCounts {
  /** Records of the daemon's observation domain, those of test packets included. */
  readonly own: number;
  /** Records of other domains. */
  readonly others: number;
}

export class SetIdWatch {
  readonly #avoided = new Set<number>();
  #id: number | undefined;
  /** Own records when the id was new, and whether there were more at the last call: what arrives then is of this id's set. */
  #ownBefore = 0;
  #isHeard = false;
  #othersBefore = 0;

  /** The ids that the own set must not have. */
  get avoided(): ReadonlySet<number> {
    return this.#avoided;
  }

  /** Takes the id of the own set and the counts, some times a second. Returns the id if it is avoided from now on. */
  check(id: number | undefined, { own, others }: SampleCounts): number | undefined {
    if (id !== this.#id) {
      this.#id = id;
      this.#ownBefore = own;
      this.#isHeard = false;
    }
    const isUsed = this.#isHeard && others > this.#othersBefore;
    this.#isHeard = own > this.#ownBefore;
    this.#othersBefore = others;
    if (!isUsed || id === undefined || this.#avoided.has(id)) {
      return undefined;
    }
    this.#avoided.add(id);
    return id;
  }
}

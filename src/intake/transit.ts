// Tells packets in transit from lost ones. Both have passed the meter and have not arrived when it is read; what is lost stays
// absent. So a packet is lost when it is absent at several readings in a row: the smallest difference of these is the loss.
//
// On the kernel datapath more may arrive than passes: the meter counts a frame of up to 64 kB as one packet, and each of its
// segments becomes a packet-in. This surplus is set apart when it is seen, so that no later loss is offset by it.
// One object does so for packets or octets; amounts are of either.

/** Readings of the meter at which a packet must be absent, one after the other, to be lost. */
export const TRANSIT_READINGS_MAX = 3;

export class Transit {
  /** What may be counted as lost while it is in transit. */
  readonly #amountMax: number;
  /** What had passed, had not arrived and was not known to be lost at the last readings, oldest first; none is below 0. */
  #differences: number[] = [];
  #difference = 0;
  #lost = 0;
  #surplus = 0;
  /** What was counted as lost and may still arrive. */
  #recoverable = 0;

  /** `amountMax`: more than that is never in transit. */
  constructor(amountMax: number) {
    this.#amountMax = amountMax;
  }

  /** What is lost, without what arrived nevertheless. */
  get lost(): number {
    return this.#lost;
  }

  /** What has passed, and has neither arrived nor is known to be lost at the last reading. */
  get inTransit(): number {
    return this.#difference;
  }

  /** What arrived in addition to what passed; never decreases. */
  get surplus(): number {
    return this.#surplus;
  }

  /**
   * Notes what passed the meter and what arrived since the last reading. Returns what is newly known to be lost; below 0 for
   * what was counted as lost and has arrived.
   */
  observe(passed: number, arrived: number): number {
    this.#difference += passed - arrived;
    this.#differences.push(this.#difference);
    if (this.#differences.length > TRANSIT_READINGS_MAX) {
      this.#differences.shift();
    }
    if (this.#difference < 0) {
      return this.#takeBack(-this.#difference);
    }
    if (this.#differences.length < TRANSIT_READINGS_MAX) {
      return 0;
    }
    const lost = Math.min(...this.#differences);
    this.#raise(0 - lost);
    return this.#lose(lost);
  }

  /**
   * Ends the readings of this meter: what has not arrived by the last one is lost. Returns how much that is. With `mayArrive`,
   * it is taken back if it arrives nevertheless.
   */
  restart(mayArrive: boolean): number {
    const lost = this.#lose(this.#difference);
    this.#difference = 0;
    this.#differences = [];
    if (!mayArrive) {
      this.#recoverable = 0;
    }
    return lost;
  }

  #lose(amount: number): number {
    this.#lost += amount;
    this.#recoverable = Math.min(this.#amountMax, this.#recoverable + amount);
    return amount;
  }

  /** Accounts for what arrived in addition: first as what was counted as lost, then as a surplus. */
  #takeBack(excess: number): number {
    const recovered = Math.min(excess, this.#recoverable);
    this.#recoverable -= recovered;
    this.#lost -= recovered;
    this.#surplus += excess - recovered;
    this.#raise(excess);
    return 0 - recovered;
  }

  /** Changes what is not accounted for, at all readings. */
  #raise(amount: number): void {
    this.#difference += amount;
    this.#differences = this.#differences.map((difference) => difference + amount);
  }
}

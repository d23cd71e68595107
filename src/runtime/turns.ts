// Spreads work over turns of the event loop, so that much of it at a time does not hold up packets.

/** Runs a function once for all requests of a turn of the event loop, at its end. */
export class OnceATurn {
  readonly #run: () => void;
  #isDue = false;

  constructor(run: () => void) {
    this.#run = run;
  }

  /** Whether a run is scheduled. */
  get isDue(): boolean {
    return this.#isDue;
  }

  schedule(): void {
    if (!this.#isDue) {
      this.#isDue = true;
      setImmediate(() => {
        this.#isDue = false;
        this.#run();
      });
    }
  }
}

/** Lets a number of callers pass in each turn; the others follow in later turns, in their order. */
export class TurnGate {
  readonly #perTurn: number;
  readonly #waiting: (() => void)[] = [];
  #left: number;
  readonly #turn = new OnceATurn(() => this.#nextTurn());

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
    this.#left = perTurn;
  }

  /** Resolves when the caller may work. */
  async pass(): Promise<void> {
    this.#turn.schedule();
    if (this.#left > 0) {
      this.#left -= 1;
    } else {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #nextTurn(): void {
    const passing = this.#waiting.splice(0, this.#perTurn);
    this.#left = this.#perTurn - passing.length;
    if (passing.length > 0) {
      this.#turn.schedule();
    }
    for (const pass of passing) {
      pass();
    }
  }
}

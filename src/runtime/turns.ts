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

/** Resolves in the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Works through a list, a number of items in each turn: the first ones at once, unless a turn is scheduled already. */
export class TurnQueue<Item> {
  readonly #perTurn: number;
  readonly #work: (item: Item) => void;
  readonly #onDone: () => void;
  #waiting: readonly Item[] = [];
  readonly #turn = new OnceATurn(() => this.#nextTurn());

  /** `onDone` is called when all items are done, if that took more than one turn. */
  constructor(perTurn: number, work: (item: Item) => void, onDone: () => void = () => {}) {
    this.#perTurn = perTurn;
    this.#work = work;
    this.#onDone = onDone;
  }

  /** Items that are still to be done. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Replaces what is still to be done. */
  replace(items: readonly Item[]): void {
    this.#waiting = items;
    if (!this.#turn.isDue) {
      this.#doSome();
    }
  }

  #nextTurn(): void {
    const wasWaiting = this.#waiting.length > 0;
    this.#doSome();
    if (wasWaiting && this.#waiting.length === 0) {
      this.#onDone();
    }
  }

  #doSome(): void {
    const some = this.#waiting.slice(0, this.#perTurn);
    this.#waiting = this.#waiting.slice(this.#perTurn);
    for (const item of some) {
      this.#work(item);
    }
    if (this.#waiting.length > 0) {
      this.#turn.schedule();
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

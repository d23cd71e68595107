// The pause of a flow monitor, and the callers that wait for its end.

export class MonitorPause {
  readonly #waiters: (() => void)[] = [];
  #isPaused = false;

  get isPaused(): boolean {
    return this.#isPaused;
  }

  set(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (!isPaused) {
      for (const resolve of this.#waiters.splice(0)) {
        resolve();
      }
    }
  }

  /** Resolves at once when there is no pause. */
  async ended(): Promise<void> {
    while (this.#isPaused) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }
}

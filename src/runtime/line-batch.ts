// Lines that are written together. A system call for each line, which wakes the reader of a pipe, costs more than all else that the
// start of a bridge logs. So the first line of a turn of the event loop is written at once, and those that follow it in the turn are
// written together at its end, or when the process exits.

/** Characters that are written at once, however many lines follow in the turn. */
const BATCH_CHARACTERS_MAX = 16_384;

/** Batches with lines that are not written yet. */
const unwritten = new Set<LineBatch>();
let isExitHandled = false;

export class LineBatch {
  readonly #write: (text: string) => void;
  #text = '';
  /** Whether a line of this turn is written already. */
  #isCollecting = false;

  /** `write` gets one or more lines, each with its newline. */
  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  add(line: string): void {
    if (!this.#isCollecting) {
      this.#isCollecting = true;
      setImmediate(() => {
        this.#isCollecting = false;
        this.flush();
      });
      this.#write(`${line}\n`);
      return;
    }
    this.#text += `${line}\n`;
    if (this.#text.length >= BATCH_CHARACTERS_MAX) {
      this.flush();
    } else {
      unwritten.add(this);
      flushAtExit();
    }
  }

  /** Writes what is collected. */
  flush(): void {
    const text = this.#text;
    this.#text = '';
    unwritten.delete(this);
    if (text !== '') {
      this.#write(text);
    }
  }
}

function flushAtExit(): void {
  if (!isExitHandled) {
    isExitHandled = true;
    process.on('exit', () => {
      for (const batch of unwritten) {
        batch.flush();
      }
    });
  }
}

// The whole screen of a terminal (ECMA-48 and the alternate screen of xterm), with the keys that are pressed meanwhile. The terminal is
// as before when it ends.

import { systemClock, type Timer } from '../runtime/clock.ts';

/** Lines are cut off at the last column (DECAWM): if they were wrapped, they would push the first ones out of the screen. */
const BEGIN = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const END = '\u001b[?7h\u001b[?25h\u001b[?1049l';
/** Cursor to the first line; clear to the end of a line, and of the screen. */
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_REST = '\u001b[J';
const CTRL_C = '\u0003';
const ROWS_DEFAULT = 24;
const COLUMNS_DEFAULT = 80;

/** A key that was pressed; undefined: the time is over, or the terminal has another size. */
export type Key = 'quit' | 'w' | 'b' | undefined;

export class TerminalScreen {
  #pressed: ((key: Key) => void) | undefined;
  #timer: Timer | undefined;
  /** A key that was pressed while none was waited for. */
  #early: Key;
  readonly #quitting = new AbortController();
  readonly #onData = (data: Buffer) => this.#read(data.toString('latin1'));
  readonly #onSignal = () => this.#end('quit');
  readonly #onResize = () => this.#end(undefined);

  constructor() {
    process.stdout.write(BEGIN);
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(true);
    }
    process.stdin.on('data', this.#onData);
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
    process.stdout.on('resize', this.#onResize);
  }

  /** Aborted when the user quits, also while no key is waited for. */
  get quitting(): AbortSignal {
    return this.#quitting.signal;
  }

  /** Columns of the terminal. */
  get columns(): number {
    return process.stdout.columns || COLUMNS_DEFAULT;
  }

  /** Shows text, as many lines as there is room for, and a line at the bottom. */
  show(text: string, footer: string): void {
    const rows = process.stdout.rows || ROWS_DEFAULT;
    const lines = [...text.split('\n').slice(0, Math.max(rows - 2, 0)), '', footer].slice(-rows);
    // Behind a line that ends in the last column, the cursor is on its last character, which a clearing would remove.
    const cleared = lines.map((line, index) => (index === lines.length - 1 ? CLEAR_REST : CLEAR_LINE) + line);
    process.stdout.write(HOME + cleared.join('\n'));
  }

  /** Resolves to the next key, or after the time. */
  key(ms: number): Promise<Key> {
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) {
      return Promise.resolve(early);
    }
    return new Promise((resolve) => {
      this.#pressed = resolve;
      this.#timer = systemClock.setTimer(() => this.#end(undefined), ms);
    });
  }

  end(): void {
    process.stdin.off('data', this.#onData);
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
    process.stdout.off('resize', this.#onResize);
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(false);
    }
    process.stdin.pause();
    process.stdout.write(END);
  }

  #read(text: string): void {
    if (text.includes('q') || text.includes(CTRL_C)) {
      this.#end('quit');
    } else if (text.includes('w')) {
      this.#end('w');
    } else if (text.includes('b')) {
      this.#end('b');
    }
  }

  #end(key: Key): void {
    if (key === 'quit') {
      this.#quitting.abort();
    }
    this.#timer?.cancel();
    const pressed = this.#pressed;
    this.#pressed = undefined;
    if (pressed === undefined) {
      this.#early = this.#early === 'quit' ? 'quit' : key;
    } else {
      pressed(key);
    }
  }
}

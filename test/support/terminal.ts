// A terminal for tests: runs a program in a pseudo-terminal of a given size, and shows its screen. It knows what `ovs-ipfix top`
// uses: the cursor to the first line, clearing, automatic wrapping, and colours, which it leaves out.

import { type ChildProcess, spawn } from 'node:child_process';
import { programEnvironment } from './process.ts';
import { waitFor } from './wait.ts';

/** Options of `Terminal.start`. */
export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** See the head of the file. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #size: TerminalOptions;
  /** All that the program has written. */
  output = '';
  readonly exited: Promise<number | null>;

  private constructor(child: ChildProcess, size: TerminalOptions) {
    this.#child = child;
    this.#size = size;
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('data', (text: string) => {
      this.output += text;
    });
    this.exited = new Promise((resolve) => child.once('exit', resolve));
  }

  /** Runs a command, whose words need no quoting. */
  static start(command: readonly string[], options: TerminalOptions): Terminal {
    const { columns, rows, environment } = options;
    const line = `stty cols ${columns} rows ${rows}; exec ${command.join(' ')}`;
    const child = spawn('script', ['-qec', line, '/dev/null'], {
      env: programEnvironment(environment),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return new Terminal(child, options);
  }

  /** Types characters. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** The lines of the screen, without spaces at their ends. */
  get screen(): readonly string[] {
    return screenOf(this.output, this.#size);
  }

  /** Waits until the screen has a text. */
  async waitForText(text: string): Promise<void> {
    await waitFor(() => this.screen.join('\n').includes(text), {
      what: `${text} on the screen`,
      timeoutMs: 20_000,
      intervalMs: 50,
    });
  }
}

const ESCAPE = String.fromCodePoint(0x1b);
/** A sequence of ECMA-48, or a character. */
const PARTS = new RegExp(`${ESCAPE}\\[(?<values>[?\\d;]*)(?<final>[A-Za-z])|(?<other>[\\s\\S])`, 'gu');

/** Returns what a terminal of this size shows (ECMA-48). */
function screenOf(output: string, { columns, rows }: TerminalOptions): readonly string[] {
  const empty = () => Array.from({ length: columns }, () => ' ');
  const cells = Array.from({ length: rows }, empty);
  let [row, column] = [0, 0];
  let isWrapped = true;
  const clearLine = () => cells[row]?.fill(' ', Math.min(column, columns - 1));
  const newLine = () => {
    row += 1;
    if (row === rows) {
      cells.shift();
      cells.push(empty());
      row -= 1;
    }
  };
  const put = (character: string) => {
    if (column === columns && isWrapped) {
      column = 0;
      newLine();
    }
    // Without wrapping, the last column is overwritten.
    column = Math.min(column, columns - 1);
    cells[row]![column] = character;
    column += 1;
  };
  for (const { groups } of output.matchAll(PARTS)) {
    const { values, final, other } = groups ?? {};
    if (other === '\n') {
      newLine();
    } else if (other === '\r') {
      column = 0;
    } else if (other !== undefined) {
      put(other);
    } else if (final === 'H') {
      [row, column] = [0, 0];
    } else if (final === 'K') {
      clearLine();
    } else if (final === 'J') {
      clearLine();
      for (let below = row + 1; below < rows; below += 1) {
        cells[below] = empty();
      }
    } else if (values === '?7') {
      isWrapped = final === 'h';
    }
  }
  return cells.map((line) => line.join('').trimEnd());
}

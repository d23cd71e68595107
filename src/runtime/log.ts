// The daemon's log, in the format of OVS's vlog, so that tools that read the logs of OVS read this one too. sonic-boom writes it
// (with a bounded backlog, and to a new file after a rotation), at the latest at the end of the turn of the event loop
// (line-batch.ts); this file formats the lines, keeps the levels of modules, and rate-limits repeated lines. Only the composition
// root opens a log; every other part is given a `Logger`.

import { closeSync, constants, openSync, statSync } from 'node:fs';
import sonicBoom, { type SonicBoom } from 'sonic-boom';
import type { Clock } from './clock.ts';
import { LineBatch } from './line-batch.ts';
import { RATE_LIMIT_DEFAULTS, RateLimit, type RateLimitOptions } from './rate-limit.ts';
import { safeLines } from './safe-text.ts';
import { reasonOf } from './sentence.ts';
import { LOG_LEVELS, type LogLevel, parseVlogSpec } from './vlog-spec.ts';

/** The log as one module of the program sees it. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** Returns a logger of the same log under another module name, a word such as `reconnect`. */
  module(name: string): Logger;
  /**
   * Returns a rate-limited logger of the same module: all lines under the same `key` share one limit. Dropped lines are
   * counted, and the count is logged before the next line that passes, as OVS does.
   */
  limited(key: string, options?: RateLimitOptions): Logger;
}

/** Destination of lines: standard error, a file, or a function (for tests; called with each line, without newline). */
export type LogDestination = 'stderr' | { readonly file: string } | ((line: string) => void);

/** Options of `Log`. */
export interface LogOptions {
  readonly clock: Clock;
  /** Default: standard error. */
  readonly destination?: LogDestination;
  /** Level of modules that have none of their own. Default: `info`. */
  readonly level?: LogLevel;
  /** Modules whose level can be set before they log anything. */
  readonly modules?: readonly string[];
  /** Specifications as for `setLevels`, applied in turn; those of other destinations are ignored. */
  readonly specs?: readonly string[];
}

/** Most keys of `limited` that are kept; beyond it the oldest key is dropped. */
export const LIMITED_KEYS_MAX = 4096;
/** Longest message in characters; a longer one is truncated, as a peer's text can be long. */
export const MESSAGE_CHARACTERS_MAX = 4096;
/** Backlog in bytes while the file cannot be written (a full disk); beyond it lines are lost and counted. */
export const LOG_BACKLOG_BYTES_MAX = 65_536;

const STDERR_FD = 2;

const LEVEL_LABELS: Record<Exclude<LogLevel, 'off'>, string> = {
  debug: 'DBG',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERR',
};

/** The log's file cannot be opened; the message is a sentence for operators. */
class LogFileError extends Error {
  readonly code = 'LOG_FILE';

  constructor(file: string, cause: unknown) {
    super(
      `The log file "${file}" cannot be opened: ${reasonOf(cause)}. Make sure that its folder exists and that ovs-ipfix ` +
        'may write to it, or name another file with --log-file.',
      { cause },
    );
    this.name = 'LogFileError';
  }
}

/** The log of the process: destination, levels and rate limits. */
export class Log {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #batch: LineBatch | undefined;
  readonly #file: SonicBoom | undefined;
  readonly #moduleLevels = new Map<string, LogLevel>();
  readonly #modules = new Set<string>();
  readonly #limits = new Map<string, RateLimit>();
  #level: LogLevel;
  #lineCount = 0;
  #lostCount = 0;

  constructor(options: LogOptions) {
    this.#clock = options.clock;
    this.#level = options.level ?? 'info';
    const to = options.destination ?? 'stderr';
    if (typeof to === 'function') {
      this.#write = to;
    } else {
      const file = openFile(to);
      // A log that cannot be written (a full disk, a closed terminal) must not end the daemon: lines are lost and counted.
      file.on('error', () => {
        this.#lostCount += 1;
      });
      file.on('drop', (lines: string) => {
        this.#lostCount += lines.split('\n').length - 1;
      });
      const batch = new LineBatch((lines) => file.write(lines));
      this.#batch = batch;
      this.#file = to === 'stderr' ? undefined : file;
      this.#write = (line) => batch.add(line);
    }
    for (const name of options.modules ?? []) {
      this.#modules.add(name);
    }
    for (const spec of options.specs ?? []) {
      this.setLevels(spec);
    }
  }

  /** Returns the logger of a module. */
  logger(name: string): Logger {
    this.#modules.add(name);
    return this.#loggerOf(name);
  }

  /** Sets the level of one module, or of all (which drops the levels of single modules). */
  setLevel(level: LogLevel, module?: string): void {
    if (module !== undefined) {
      this.#moduleLevels.set(module, level);
      return;
    }
    this.#level = level;
    this.#moduleLevels.clear();
  }

  /** Returns the level of each known module, sorted by name. */
  levels(): ReadonlyMap<string, LogLevel> {
    return new Map([...this.#modules].sort().map((name) => [name, this.#levelOf(name)]));
  }

  /** The destination by OVS's name for it; a function is reported as the console. */
  get destinationName(): 'console' | 'file' {
    return this.#file === undefined ? 'console' : 'file';
  }

  /**
   * Sets levels by a specification of `-vSPEC` or `vlog/set`. Returns undefined on success, else a sentence: the
   * specification cannot be parsed, the module does not exist, or nothing is logged to the destination.
   */
  setLevels(text: string): string | undefined {
    const spec = parseVlogSpec(text);
    if (typeof spec === 'string') {
      return spec;
    }
    if (spec.module !== undefined && !this.#modules.has(spec.module)) {
      return `There is no module "${spec.module}"; the modules are ${[...this.#modules].sort().join(', ')}.`;
    }
    const name = this.destinationName;
    if (spec.destination !== undefined && spec.destination !== name) {
      return `Nothing is logged to ${spec.destination}, only to ${name}.`;
    }
    this.setLevel(spec.level, spec.module);
    return undefined;
  }

  /** Lines that could not be written. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /** Reopens the file by its name, after logrotate has moved it away; does nothing for other destinations. */
  reopen(): void {
    this.#batch?.flush();
    this.#file?.reopen();
  }

  /** Writes the backlog and closes the file. */
  close(): void {
    this.#batch?.flush();
    this.#file?.end();
  }

  #levelOf(module: string): LogLevel {
    return this.#moduleLevels.get(module) ?? this.#level;
  }

  #loggerOf(module: string, limit?: RateLimit): Logger {
    const logAt = (level: Exclude<LogLevel, 'off'>) => (message: string) => {
      // As in vlog, a line below the module's level does not count against the limit.
      if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.#levelOf(module))) {
        return;
      }
      if (limit !== undefined) {
        const dropped = limit.take(this.#clock.monotonicMicros());
        if (dropped === undefined) {
          return;
        }
        if (dropped.count > 0) {
          this.#writeLines(
            level,
            module,
            `Dropped ${dropped.count} log messages in last ${dropped.firstAgeSeconds} seconds (most recently, ` +
              `${dropped.lastAgeSeconds} seconds ago) due to excessive rate`,
          );
        }
      }
      this.#writeLines(level, module, printable(message));
    };
    return {
      debug: logAt('debug'),
      info: logAt('info'),
      warn: logAt('warn'),
      error: logAt('error'),
      module: (name) => this.logger(name),
      limited: (key, options) => this.#loggerOf(module, this.#limitOf(`${module}\0${key}`, options)),
    };
  }

  #limitOf(key: string, options: RateLimitOptions = RATE_LIMIT_DEFAULTS): RateLimit {
    const known = this.#limits.get(key);
    if (known !== undefined) {
      return known;
    }
    if (this.#limits.size >= LIMITED_KEYS_MAX) {
      const [oldest] = this.#limits.keys();
      if (oldest !== undefined) {
        this.#limits.delete(oldest);
      }
    }
    const limit = new RateLimit(options, this.#clock.monotonicMicros());
    this.#limits.set(key, limit);
    return limit;
  }

  /** Logs a message; each of its lines becomes a line of the log with the full prefix, as in vlog. */
  #writeLines(level: keyof typeof LEVEL_LABELS, module: string, message: string): void {
    for (const text of message.split('\n')) {
      this.#line(module, LEVEL_LABELS[level], text);
    }
  }

  #line(module: string, label: string, text: string): void {
    this.#lineCount += 1;
    const time = new Date(Math.floor(this.#clock.wallMicros() / 1000)).toISOString();
    const serial = String(this.#lineCount).padStart(5, '0');
    this.#write(`${time}|${serial}|${module}|${label}|${text}`);
  }
}

function openFile(to: Exclude<LogDestination, (line: string) => void>): SonicBoom {
  const options = { sync: true, append: true, maxLength: LOG_BACKLOG_BYTES_MAX };
  if (to === 'stderr') {
    return new sonicBoom.SonicBoom({ fd: STDERR_FD, ...options });
  }
  try {
    requireReader(to.file);
    return new sonicBoom.SonicBoom({ dest: to.file, ...options });
  } catch (error) {
    throw new LogFileError(to.file, error);
  }
}

/** Throws for a pipe without a reader: opening it would wait for one, and no signal would end that. */
function requireReader(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFIFO() === true) {
    closeSync(openSync(file, constants.O_WRONLY | constants.O_NONBLOCK));
  }
}

/** A logger that discards everything, for parts that a test builds without a log. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  module: () => silentLogger,
  limited: () => silentLogger,
};

/** Escapes control characters: a peer's text must not reach a terminal or a log parser raw. */
function printable(message: string): string {
  const cut =
    message.length > MESSAGE_CHARACTERS_MAX ? `${message.slice(0, MESSAGE_CHARACTERS_MAX)}...` : message;
  return safeLines(cut);
}

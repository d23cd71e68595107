// The daemon's log, in the shape of OVS's vlog files, so that operators and their tools can read ours like the ones
// beside it. sonic-boom writes (at once, with a limited backlog, and again after a rotation); this file has the line, the
// levels by module, and the limit on repeated lines. Only the composition root opens a log; every other part is handed a
// `Logger`.

import sonicBoom, { type SonicBoom } from 'sonic-boom';
import type { Clock } from './clock.ts';
import { RATE_LIMIT_DEFAULTS, RateLimit, type RateLimitOptions } from './rate-limit.ts';
import { reasonOf } from './sentence.ts';
import { LOG_LEVELS, type LogLevel, parseVlogSpec } from './vlog-spec.ts';

/** What a part of the program may do with the log. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** The same log under another module name, which is a word such as `reconnect`. */
  module(name: string): Logger;
  /**
   * The same module with repeated lines held back: all lines under the same `key` share one limit. What was held back
   * is counted, and said before the next line that passes, as OVS does.
   */
  limited(key: string, options?: RateLimitOptions): Logger;
}

/** Where lines go: standard error, a file, or a function (for tests; called with a line without its newline). */
export type LogDestination = 'stderr' | { readonly file: string } | ((line: string) => void);

/** Options of `Log`. */
export interface LogOptions {
  readonly clock: Clock;
  /** Default: standard error. */
  readonly destination?: LogDestination;
  /** Level of modules without one of their own. Default: `info`. */
  readonly level?: LogLevel;
  /** Modules that can be given a level before they write anything. */
  readonly modules?: readonly string[];
  /** Specifications as for `setLevels`, applied in turn; those about other destinations say nothing about this log. */
  readonly specs?: readonly string[];
}

/** At most so many different keys of `limited` are remembered; the one made first is forgotten then. */
export const LIMITED_KEYS_MAX = 4096;
/** Characters of a message that are kept; a peer's text can be long. */
export const MESSAGE_CHARACTERS_MAX = 4096;
/** Bytes that may wait when the file cannot be written (a full disk); what comes after is lost and counted. */
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
      `The log file "${file}" cannot be opened: ${reasonOf(cause)}. See that its folder is there and that we may write ` +
        'to it, or name another file with --log-file.',
      { cause },
    );
    this.name = 'LogFileError';
  }
}

/** The lines' destination, levels and limits; one for the process. */
export class Log {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
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
      // A log that cannot be written (a full disk, a closed terminal) must not end the daemon: lines are lost, counted.
      file.on('error', () => {
        this.#lostCount += 1;
      });
      file.on('drop', () => {
        this.#lostCount += 1;
      });
      this.#file = to === 'stderr' ? undefined : file;
      this.#write = (line) => file.write(`${line}\n`);
    }
    for (const name of options.modules ?? []) {
      this.#modules.add(name);
    }
    for (const spec of options.specs ?? []) {
      this.setLevels(spec);
    }
  }

  /** The log as module `name` sees it. */
  logger(name: string): Logger {
    this.#modules.add(name);
    return this.#loggerOf(name);
  }

  /** Sets the level of one module, or of all (forgetting the levels of single modules). */
  setLevel(level: LogLevel, module?: string): void {
    if (module !== undefined) {
      this.#moduleLevels.set(module, level);
      return;
    }
    this.#level = level;
    this.#moduleLevels.clear();
  }

  /** The level of each module that has been seen, sorted by name. */
  levels(): ReadonlyMap<string, LogLevel> {
    return new Map([...this.#modules].sort().map((name) => [name, this.#levelOf(name)]));
  }

  /** Where the lines go, in OVS's words; a function counts as the console. */
  get destinationName(): 'console' | 'file' {
    return this.#file === undefined ? 'console' : 'file';
  }

  /**
   * Sets levels as `-vSPEC` and `vlog/set` say. Undefined when that was done, else a sentence: about the specification, a
   * module that there is not, or a destination to which nothing is logged.
   */
  setLevels(text: string): string | undefined {
    const spec = parseVlogSpec(text);
    if (typeof spec === 'string') {
      return spec;
    }
    if (spec.module !== undefined && !this.#modules.has(spec.module)) {
      return `There is no module "${spec.module}"; there are ${[...this.#modules].sort().join(', ')}.`;
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

  /** Opens the file again under its name, after logrotate has moved it away; nothing happens for other destinations. */
  reopen(): void {
    this.#file?.reopen();
  }

  /** Writes what waits and closes the file. */
  close(): void {
    this.#file?.end();
  }

  #levelOf(module: string): LogLevel {
    return this.#moduleLevels.get(module) ?? this.#level;
  }

  #loggerOf(module: string, limit?: RateLimit): Logger {
    const say = (level: Exclude<LogLevel, 'off'>) => (message: string) => {
      // As in vlog, a line that its level silences costs nothing of the limit.
      if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.#levelOf(module))) {
        return;
      }
      if (limit !== undefined) {
        const dropped = limit.take(this.#clock.monotonicMicros());
        if (dropped === undefined) {
          return;
        }
        if (dropped.count > 0) {
          this.#say(
            level,
            module,
            `Dropped ${dropped.count} log messages in last ${dropped.firstAgeSeconds} seconds (most recently, ` +
              `${dropped.lastAgeSeconds} seconds ago) due to excessive rate`,
          );
        }
      }
      this.#say(level, module, printable(message));
    };
    return {
      debug: say('debug'),
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
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

  /** A message of several lines becomes several lines of the log, each with the full prefix (as in vlog). */
  #say(level: keyof typeof LEVEL_LABELS, module: string, message: string): void {
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
    return new sonicBoom.SonicBoom({ dest: to.file, ...options });
  } catch (error) {
    throw new LogFileError(to.file, error);
  }
}

/** A logger that drops everything, for parts that a test builds without one. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  module: () => silentLogger,
  limited: () => silentLogger,
};

/** Control characters in a message may come from a peer; a terminal or a log parser must not see them raw. */
function printable(message: string): string {
  const cut =
    message.length > MESSAGE_CHARACTERS_MAX ? `${message.slice(0, MESSAGE_CHARACTERS_MAX)}...` : message;
  return cut.replace(/[\p{Cc}\u2028\u2029]/gu, (character) =>
    character === '\n' || character === '\t'
      ? character
      : `\\x${character.codePointAt(0)?.toString(16).padStart(2, '0')}`,
  );
}

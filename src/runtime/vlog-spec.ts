// How OVS's programs name log levels: `-vSPEC` and `vlog/set SPEC`, where SPEC has up to one module, one destination and
// one level, separated by spaces, commas or colons in any order (ovs-vswitchd(8), "Logging Options").

/** From the most to the least talkative; `off` silences a module. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'off'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where OVS's programs log to. We have one of `console` (standard error) and `file`, never `syslog`. */
export const LOG_DESTINATIONS = ['console', 'syslog', 'file'] as const;
export type LogDestinationName = (typeof LOG_DESTINATIONS)[number];

/** A level for a module, or for all of them. */
export interface VlogSpec {
  /** Undefined: all modules. */
  readonly module: string | undefined;
  /** Undefined: all destinations. */
  readonly destination: LogDestinationName | undefined;
  readonly level: LogLevel;
}

/** OVS's words first; `emer` is for what ends a program, of which our `error` is the nearest. */
const LEVELS: ReadonlyMap<string, LogLevel> = new Map([
  ['off', 'off'],
  ['emer', 'error'],
  ['err', 'error'],
  ['warn', 'warn'],
  ['info', 'info'],
  ['dbg', 'debug'],
  ['error', 'error'],
  ['debug', 'debug'],
]);

/** Reads a specification; a string is a sentence that says what is wrong with it. Without a level `dbg` is meant. */
export function parseVlogSpec(text: string): VlogSpec | string {
  let module: string | undefined;
  let destination: LogDestinationName | undefined;
  let level: LogLevel | undefined;
  for (const word of text.split(/[\s,:]+/u)) {
    const lower = word.toLowerCase();
    const named = LOG_DESTINATIONS.find((name) => name === lower);
    const asLevel = LEVELS.get(lower);
    if (word === '' || lower === 'any') {
      continue;
    }
    if (named !== undefined && destination === undefined) {
      destination = named;
    } else if (asLevel !== undefined && level === undefined) {
      level = asLevel;
    } else if (named === undefined && asLevel === undefined && module === undefined) {
      module = word;
    } else {
      return `"${text}" names two ${named === undefined ? (asLevel === undefined ? 'modules' : 'levels') : 'destinations'}.`;
    }
  }
  return { module, destination, level: level ?? 'debug' };
}

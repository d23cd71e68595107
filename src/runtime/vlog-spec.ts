// Log level specifications of OVS's programs: `-vSPEC` and `vlog/set SPEC`, where SPEC has at most one module, one
// destination and one level, separated by spaces, commas or colons, in any order (ovs-vswitchd(8), "Logging Options").

/** The levels, most verbose first; `off` disables a module. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'off'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The destinations of OVS's programs. ovs-ipfix logs to `console` (standard error) or to `file`, never to `syslog`. */
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

/** OVS's names first. `emer`, for what ends a program, maps to `error`. */
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

/** Parses a specification; the level defaults to `dbg`. Returns a sentence when the specification is invalid. */
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

// The text of a column of numbers, as Open vSwitch's own schema file has it: written out here, apart from the program's.

/** Returns the lines of an optional integer column from 0 to `max`. */
export function schemaColumn(name: string, max: number): string {
  return [
    `       "${name}": {`,
    '         "type": {"key": {"type": "integer",',
    '                          "minInteger": 0,',
    `                          "maxInteger": ${max}},`,
    '                  "min": 0, "max": 1}},',
    '',
  ].join('\n');
}

export const TIMEOUT_COLUMN = schemaColumn('cache_active_timeout', 4200);
export const FLOWS_COLUMN = schemaColumn('cache_max_flows', 4_294_967_295);

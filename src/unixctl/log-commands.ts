// The commands of the log, with the names that they have in every daemon of OVS.

import type { Log } from '../runtime/log.ts';
import { LOG_DESTINATIONS, type LogLevel } from '../runtime/vlog-spec.ts';
import { type CommandRegistry, refuse } from './commands.ts';

/** Largest number of specifications in one command. */
const SPECS_MAX = 64;

const LABELS: Readonly<Record<LogLevel, string>> = {
  debug: 'DBG',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERR',
  off: 'OFF',
};

/** The part of the log that the commands use. */
export type CommandedLog = Pick<Log, 'destinationName' | 'levels' | 'reopen' | 'setLevels'>;

/** Registers the commands. */
export function registerLogCommands(registry: CommandRegistry, log: CommandedLog): void {
  registry.register('vlog/list', '', 0, 0, () => {
    const levels = log.levels();
    return {
      text: listText(levels, log.destinationName),
      json: { destination: log.destinationName, levels: Object.fromEntries(levels) },
    };
  });
  registry.register('vlog/set', '{spec | MODULE[:DESTINATION[:LEVEL]]}...', 0, SPECS_MAX, (specs) => {
    for (const spec of specs.length === 0 ? ['dbg'] : specs) {
      const fault = log.setLevels(spec);
      if (fault !== undefined) {
        refuse(fault);
      }
    }
    return '';
  });
  registry.register('vlog/reopen', '', 0, 0, () => {
    if (log.destinationName !== 'file') {
      refuse('There is no log file: the log goes to standard error.');
    }
    log.reopen();
    return '';
  });
}

function listText(levels: ReadonlyMap<string, LogLevel>, destination: string): string {
  const rows = [...levels].map(([module, level]) => [
    module.padEnd(17),
    ...LOG_DESTINATIONS.map((name) => (name === destination ? LABELS[level] : 'OFF').padStart(8)),
  ]);
  const head = [' '.repeat(17), ...LOG_DESTINATIONS.map((name) => name.padStart(8))];
  const rule = [' '.repeat(17), ...LOG_DESTINATIONS.map(({ length }) => '-'.repeat(length).padStart(8))];
  return [head, rule, ...rows].map((cells) => cells.join(' ')).join('\n');
}

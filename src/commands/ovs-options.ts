// The flags of the commands that work on an Open vSwitch with its bridges.

import type { Command } from 'commander';
import { MARK_DEFAULT } from '../config/settings.ts';
import { addDatabaseOptions, flag, openflowFlag } from './options.ts';

/** Adds what a command needs to find OVS: the database, the bridges, TLS files and the log. */
export function addOvsOptions(command: Command): Command {
  return addDatabaseOptions(command)
    .addOption(openflowFlag())
    .addOption(flag('--mark <bit>', `register bit that marks a packet as sampled (default: ${MARK_DEFAULT})`))
    .addOption(
      flag(
        '-v, --verbose <spec>',
        'log level as in OVS: [MODULE:][DESTINATION:]{off|err|warn|info|dbg}, such as -vdbg or -vbridge:dbg; may be repeated (default: info)',
      ).argParser((spec: string, before: readonly string[] | undefined) => [...(before ?? []), spec]),
    )
    .addOption(flag('--log-file <file>', 'log to a file instead of standard error'));
}

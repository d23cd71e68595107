// The flags of the commands that connect to an Open vSwitch and its bridges.

import type { Command } from 'commander';
import { MARK_DEFAULT } from '../config/settings.ts';
import { addDatabaseOptions, flag, openflowFlag } from './options.ts';

/** Adds the flags for the database, the bridges, TLS and the log. */
export function addOvsOptions(command: Command): Command {
  return addDatabaseOptions(command)
    .addOption(openflowFlag())
    .addOption(
      flag('--mark <bit>', `register bit that the hook sets in each packet (default: ${MARK_DEFAULT})`),
    )
    .addOption(
      flag(
        '-v, --verbose <spec>',
        'log level as in OVS: [MODULE:][DESTINATION:]LEVEL with off, err, warn, info or dbg, such as -vdbg or -vbridge:dbg; may be repeated (default: info)',
      ).argParser((spec: string, before: readonly string[] | undefined) => [...(before ?? []), spec]),
    )
    .addOption(flag('--log-file <file>', 'log to a file instead of standard error'));
}

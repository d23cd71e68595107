// `ovs-ipfix status`: asks the running daemon for its state, and shows it as a table or as JSON.

import { Command } from 'commander';
import { readStatusSettings } from '../config/settings.ts';
import type { StatusDocument } from '../report/status-document.ts';
import { type Mood, type Paint, statusText } from '../report/status-text.ts';
import { systemClock } from '../runtime/clock.ts';
import { askUnixctl } from '../unixctl/client.ts';
import { findControlSocket } from './control-socket.ts';
import { flag, flagOf } from './options.ts';

/** Exit code when the daemon has answered and is not ready. */
const EXIT_NOT_READY = 3;

export function statusCommand(): Command {
  return new Command('status')
    .description('ask the running daemon what it exports, to whom, and what is wrong')
    .addOption(flagOf('status', '--format <format>', 'table or json (default: table)'))
    .addOption(flag('--unixctl <file>', 'control socket of the daemon (default: found in $OVS_RUNDIR)'))
    .action(async (flags: Record<string, unknown>) => {
      const { format, unixctlPath } = readStatusSettings(flags);
      const path = findControlSocket(unixctlPath);
      const json = await askUnixctl(path, 'status', ['json'], { clock: systemClock });
      const document = JSON.parse(json) as StatusDocument;
      process.stdout.write(`${format === 'json' ? json.trimEnd() : statusText(document, choosePaint())}\n`);
      if (document.missing.length > 0) process.exitCode = EXIT_NOT_READY;
    });
}

const COLOURS: Readonly<Record<Mood, string>> = { good: '32', warning: '33', bad: '31', head: '1' };

/** Colours on a terminal only, and not where NO_COLOR is set (https://no-color.org). */
function choosePaint(): Paint {
  if (!process.stdout.isTTY || process.env['NO_COLOR']) return (_mood, text) => text;
  return (mood, text) => `\u001b[${COLOURS[mood]}m${text}\u001b[0m`;
}

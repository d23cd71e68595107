// `ovs-ipfix status`: prints the state of the running daemon as text or as JSON.

import { Command } from 'commander';
import { readStatusSettings } from '../config/settings.ts';
import type { StatusDocument } from '../report/status-document.ts';
import { type Mood, type Paint, statusText } from '../report/status-text.ts';
import { systemClock } from '../runtime/clock.ts';
import { askUnixctl } from '../unixctl/client.ts';
import { anotherProgram } from '../unixctl/errors.ts';
import { type Colour, coloured } from './colour.ts';
import { findControlSocket } from './control-socket.ts';
import { flag, flagOf } from './options.ts';

/** Exit code when the daemon answers and is not ready. */
const EXIT_NOT_READY = 3;

export function statusCommand(): Command {
  return new Command('status')
    .description('show what the running daemon exports, to which collectors, and its conditions')
    .addOption(flagOf('status', '--format <format>', 'table or json (default: table)'))
    .addOption(flag('--unixctl <file>', 'control socket of the daemon (default: found in $OVS_RUNDIR)'))
    .action(async (flags: Record<string, unknown>) => {
      const { format, unixctlPath } = readStatusSettings(flags);
      const path = findControlSocket(unixctlPath);
      const json = await askStatus(path);
      const document = JSON.parse(json) as StatusDocument;
      process.stdout.write(`${format === 'json' ? json.trimEnd() : statusText(document, paint)}\n`);
      if (document.missing.length > 0) {
        process.exitCode = EXIT_NOT_READY;
      }
    });
}

/** Returns the status as JSON. */
async function askStatus(path: string): Promise<string> {
  try {
    return await askUnixctl(path, 'status', ['json'], { clock: systemClock });
  } catch (error) {
    const fault = anotherProgram(error);
    throw fault === undefined
      ? error
      : new Error(`${path} ${fault}. Name that of the daemon with --unixctl.`, { cause: error });
  }
}

const COLOURS: Readonly<Record<Mood, Colour>> = {
  good: 'green',
  warning: 'yellow',
  bad: 'red',
  head: 'bold',
};

const paint: Paint = (mood, text) => coloured(COLOURS[mood], text);

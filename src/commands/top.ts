// `ovs-ipfix top`: the traffic, the state and the collectors of the running daemon on one screen, again and again; once where the
// output is not a terminal.

import { Command } from 'commander';
import { readTopSettings, type TopSettings } from '../config/settings.ts';
import { DIMENSIONS } from '../report/traffic/dimensions.ts';
import type { Mood } from '../report/traffic/overview-document.ts';
import { type PaintLine, type TopDocument, topText } from '../report/traffic/top-screen.ts';
import { systemClock } from '../runtime/clock.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { askUnixctl } from '../unixctl/client.ts';
import { type Colour, coloured } from './colour.ts';
import { findControlSocket } from './control-socket.ts';
import { flag, flagOf } from './options.ts';
import { TerminalScreen } from './terminal-screen.ts';

const WINDOWS = ['5m', '1h'];

export function topCommand(): Command {
  return new Command('top')
    .description('show the traffic, the losses and the collectors of the running daemon')
    .argument('[words...]', 'what to show, as for flows: interface=NAME, ip=ADDRESS, port=N')
    .addOption(flagOf('top', '--window <time>', '10s to 1h (default: 5m)'))
    .addOption(
      flagOf(
        'top',
        '--by <what>',
        'bridge, interface, protocol, application, source or destination (default: interface)',
      ),
    )
    .addOption(flagOf('top', '--interval <seconds>', 'seconds between two screens (default: 2)'))
    .addOption(flagOf('top', '--format <format>', 'table or json, which is printed once (default: table)'))
    .addOption(flag('--unixctl <file>', 'control socket of the daemon (default: found in $OVS_RUNDIR)'))
    .action(async (words: readonly string[], flags: Record<string, unknown>) => {
      const settings = readTopSettings(flags);
      const path = findControlSocket(settings.unixctlPath);
      if (settings.format === 'json' || !process.stdout.isTTY) {
        const json = await ask(path, settings, words);
        process.stdout.write(`${settings.format === 'json' ? json : screenText(json)}\n`);
      } else {
        await watch(path, settings, words);
      }
    });
}

/** Shows screens until `q` or Ctrl-C; `w` and `b` change the window and the dimension. */
async function watch(path: string, settings: TopSettings, words: readonly string[]): Promise<void> {
  let { window, by } = settings;
  // A word that is not valid ends the command before the screen begins.
  let text = screenText(await ask(path, { window, by }, words));
  const screen = new TerminalScreen();
  try {
    for (;;) {
      screen.show(text, `q quit, w window (${window}), b by (${by})`);
      const key = await screen.key(settings.intervalSeconds * 1000);
      if (key === 'quit') {
        return;
      }
      if (key === 'w') {
        window = next(WINDOWS, window);
      } else if (key === 'b') {
        by = next(DIMENSIONS, by);
      }
      text = await ask(path, { window, by }, words).then(screenText, (error: unknown) =>
        coloured('red', reasonOf(error)),
      );
    }
  } finally {
    screen.end();
  }
}

function next(values: readonly string[], value: string): string {
  return values[(values.indexOf(value) + 1) % values.length] ?? value;
}

async function ask(
  path: string,
  { window, by }: Pick<TopSettings, 'window' | 'by'>,
  words: readonly string[],
): Promise<string> {
  return askUnixctl(path, 'top', ['json', `window=${window}`, `by=${by}`, ...words], { clock: systemClock });
}

function screenText(json: string): string {
  return topText(JSON.parse(json) as TopDocument, paint);
}

const COLOURS: Readonly<Record<Mood | 'head', Colour>> = {
  good: 'green',
  warning: 'yellow',
  bad: 'red',
  head: 'bold',
};

const paint: PaintLine = (mood, text) => coloured(COLOURS[mood], text);

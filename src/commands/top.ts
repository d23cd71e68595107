// `ovs-ipfix top`: the traffic, the state and the collectors of the running daemon on one screen, again and again; once where the
// output is not a terminal.

import { Command } from 'commander';
import { readTopSettings, type TopSettings } from '../config/settings.ts';
import { foldText, TABLE_WIDTH } from '../report/text-table.ts';
import { DIMENSIONS } from '../report/traffic/dimensions.ts';
import type { Mood } from '../report/traffic/overview-document.ts';
import { type PaintLine, type TopDocument, topText } from '../report/traffic/top-screen.ts';
import { systemClock } from '../runtime/clock.ts';
import { askUnixctl } from '../unixctl/client.ts';
import { type Colour, coloured } from './colour.ts';
import { findControlSocket } from './control-socket.ts';
import { errorText } from './error-text.ts';
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
      if (settings.format === 'json' || !process.stdout.isTTY) {
        const json = await ask(settings, words);
        process.stdout.write(`${settings.format === 'json' ? json : screenText(json)}\n`);
      } else {
        await watch(settings, words);
      }
    });
}

/** Shows screens until `q` or Ctrl-C; `w` and `b` change the window and the dimension. */
async function watch(settings: TopSettings, words: readonly string[]): Promise<void> {
  let { window, by } = settings;
  // A word that is not valid ends the command before the screen begins.
  let answer: Answer = { json: await ask(settings, words) };
  const screen = new TerminalScreen();
  try {
    for (;;) {
      screen.show(answerText(answer, screen.columns), `q quit, w window (${window}), b by (${by})`);
      const key = await screen.key(settings.intervalSeconds * 1000);
      if (key === 'w') {
        window = next(WINDOWS, window);
      } else if (key === 'b') {
        by = next(DIMENSIONS, by);
      }
      const asked = { ...settings, window, by };
      answer = await ask(asked, words, screen.quitting).then(
        (json) => ({ json }),
        (error: unknown) => ({ fault: errorText(error) }),
      );
      if (screen.quitting.aborted) {
        return;
      }
    }
  } finally {
    screen.end();
  }
}

/** The answer of the daemon, or why there is none, as sentences. */
type Answer = { readonly json: string } | { readonly fault: string };

function answerText(answer: Answer, columns: number): string {
  if ('json' in answer) {
    return screenText(answer.json, columns);
  }
  const lines = foldText(answer.fault, '', Math.min(columns, TABLE_WIDTH));
  return lines.map((line) => coloured('red', line)).join('\n');
}

function next(values: readonly string[], value: string): string {
  return values[(values.indexOf(value) + 1) % values.length] ?? value;
}

/** Asks the daemon, which may be another process than the last time. */
async function ask(
  { unixctlPath, window, by }: Pick<TopSettings, 'unixctlPath' | 'window' | 'by'>,
  words: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const path = findControlSocket(unixctlPath);
  const args = ['json', `window=${window}`, `by=${by}`, ...words];
  return askUnixctl(path, 'top', args, { clock: systemClock, ...(signal && { signal }) });
}

function screenText(json: string, columns = TABLE_WIDTH): string {
  return topText(JSON.parse(json) as TopDocument, { paint, columns });
}

const COLOURS: Readonly<Record<Mood | 'head', Colour>> = {
  good: 'green',
  warning: 'yellow',
  bad: 'red',
  head: 'bold',
};

const paint: PaintLine = (mood, text) => coloured(COLOURS[mood], text);

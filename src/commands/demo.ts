// `ovs-ipfix demo`: runs the daemon on a private Open vSwitch, for a first impression and as a check of an installation.

import { Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../runtime/clock.ts';
import { peerCommand } from './demo/peer.ts';
import { Scenario } from './demo/scenario.ts';
import { flagOf } from './options.ts';

interface DemoFlags {
  readonly seconds?: number;
  readonly once?: boolean;
  readonly collector: 'own' | 'nfdump';
}

/** The `demo` command. */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'run the daemon on a private Open vSwitch, with traffic and a collector that prints flow records',
    )
    .addOption(
      flagOf('demo', '--seconds <seconds>', 'end after this time (default: at Ctrl-C)').argParser(
        parseSeconds,
      ),
    )
    .addOption(flagOf('demo', '--once', 'end after the first round of traffic, without the page'))
    .addOption(
      flagOf('demo', '--collector <which>', 'whose output is shown: own, or nfdump, fed by nfcapd')
        .choices(['own', 'nfdump'])
        .default('own'),
    )
    .addHelpText(
      'after',
      `
Four VMs talk to each other through the switch, and the live page shows them.
As root they are network namespaces; as an ordinary user, or where namespaces
are not allowed, their frames are made up and handed to the switch. Nothing of
the machine's own Open vSwitch is touched, and nothing stays behind. The exit
code is 0 only if records came and agree with what the switch has counted.`,
    )
    .addCommand(peerCommand(), { hidden: true })
    .action(async (flags: DemoFlags) => {
      process.exitCode = await runDemo(flags);
    });
}

async function runDemo({ seconds, once, collector }: DemoFlags): Promise<number> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  // These handlers stay: a second Ctrl-C must not interrupt the ordered stop.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, end);
  }
  // A reader that closes the pipe, such as head(1), ends the demo.
  process.stdout.on('error', end);
  const timer = seconds === undefined ? undefined : systemClock.setTimer(end, seconds * 1000);
  try {
    const scenario = new Scenario({
      isOnce: once ?? false,
      collector,
      signal: ending.signal,
      write: (text) => process.stdout.write(text),
    });
    const fault = await scenario.run();
    process.stdout.write(fault === undefined ? 'All counts agree, and everything is cleaned up.\n' : '');
    if (fault !== undefined) {
      process.stderr.write(`ovs-ipfix demo: ${fault}\n`);
    }
    return fault === undefined ? 0 : 1;
  } finally {
    timer?.cancel();
  }
}

function parseSeconds(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new InvalidArgumentError('Write a whole number of at least 1.');
  }
  return number;
}

#!/usr/bin/env node
// The entry point: parses the command line, and turns an error into a sentence and an exit code. A command is loaded when it is
// called, because loading all of them takes longer than starting Node.js.

import { Command } from 'commander';
import { errorText } from './commands/error-text.ts';
import { readSwitches, withOptionalValues } from './commands/options.ts';
import { watchOutput } from './commands/output-errors.ts';
import { version } from './commands/version.ts';

/** The commands, in the order of the help text. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['run', async () => (await import('./commands/run.ts')).runCommand()],
  ['collect', async () => (await import('./commands/collect.ts')).collectCommand()],
  ['migrate', async () => (await import('./commands/migrate.ts')).migrateCommand()],
  ['release', async () => (await import('./commands/release.ts')).releaseCommand()],
  ['status', async () => (await import('./commands/status.ts')).statusCommand()],
  ['top', async () => (await import('./commands/top.ts')).topCommand()],
  ['doctor', async () => (await import('./commands/doctor.ts')).doctorCommand()],
  ['replay', async () => (await import('./commands/replay.ts')).replayCommand()],
  ['demo', async () => (await import('./commands/demo.ts')).demoCommand()],
]);

const VERSION_FLAGS: readonly string[] = ['-V', '--version'];

async function main(argv: readonly string[]): Promise<void> {
  watchOutput();
  const program = new Command('ovs-ipfix')
    .description('IPFIX flow exporter that runs beside Open vSwitch')
    .version(version)
    .helpCommand('help [command]', 'show help for a command')
    .hook('preAction', (_, command) => readSwitches(command));
  for (const load of neededCommands(argv[2])) {
    program.addCommand(await load());
  }
  await program.parseAsync(withOptionalValues(argv));
}

/** Returns the command that the first word names; all of them for help, and to suggest a name for an unknown word. */
function neededCommands(word: string | undefined): readonly (() => Promise<Command>)[] {
  if (word !== undefined && VERSION_FLAGS.includes(word)) {
    return [];
  }
  const named = COMMANDS.get(word ?? '');
  return named === undefined ? [...COMMANDS.values()] : [named];
}

main(process.argv).then(undefined, (error: unknown) => {
  process.stderr.write(`ovs-ipfix: ${errorText(error)}\n`);
  if (process.env['OVS_IPFIX_TRACE'] && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
  process.exitCode = 1;
  // What the command has left open would keep the process alive. Lines of the log that wait for the end of this turn are written before.
  setImmediate(() => process.exit());
});

#!/usr/bin/env node
// The process edge: the command line, and the one place where an error becomes a sentence and an exit code.

import { Command } from 'commander';
import { collectCommand } from './commands/collect.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { migrateCommand } from './commands/migrate.ts';
import { withOptionalValues } from './commands/options.ts';
import { releaseCommand } from './commands/release.ts';
import { replayCommand } from './commands/replay.ts';
import { runCommand } from './commands/run.ts';
import { statusCommand } from './commands/status.ts';
import { version } from './commands/version.ts';

const program = new Command('ovs-ipfix')
  .description('IPFIX flow exporter that runs beside Open vSwitch')
  .version(version)
  .helpCommand('help [command]', 'show help for a command')
  .addCommand(runCommand())
  .addCommand(collectCommand())
  .addCommand(migrateCommand())
  .addCommand(releaseCommand())
  .addCommand(statusCommand())
  .addCommand(doctorCommand())
  .addCommand(replayCommand())
  .addCommand(demoCommand());

program.parseAsync(withOptionalValues(process.argv)).then(undefined, (error: unknown) => {
  process.stderr.write(`ovs-ipfix: ${error instanceof Error ? error.message : String(error)}\n`);
  if (process.env['OVS_IPFIX_TRACE'] && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
  process.exitCode = 1;
});

// `ovs-ipfix release`: hands rows back to ovs-vswitchd and removes the daemon's flows, meters and actions from the bridges.

import { Command } from 'commander';
import { LOG_MODULES, readOvsSettings } from '../config/settings.ts';
import { release } from '../control/release.ts';
import { systemClock } from '../runtime/clock.ts';
import { counted } from '../runtime/counted.ts';
import { Log } from '../runtime/log.ts';
import { flag, foldDatabase } from './options.ts';
import { addOvsOptions } from './ovs-options.ts';

export function releaseCommand(): Command {
  const command = addOvsOptions(
    new Command('release').description(
      'hand the IPFIX rows back to ovs-vswitchd, and remove all flows, meters and actions of ovs-ipfix from the bridges',
    ),
  );
  command.addOption(
    flag('--unless-held', 'do nothing while another ovs-ipfix holds the lock of the active daemon'),
  );
  return command.action(async (database: string | undefined, flags: Record<string, unknown>) => {
    const { unlessHeld, ...others } = flags;
    const isForced = unlessHeld === undefined;
    const settings = readOvsSettings(foldDatabase(database, others, command));
    const log = new Log({
      clock: systemClock,
      level: 'error',
      modules: LOG_MODULES,
      specs: settings.logSpecs,
      destination: settings.logFile === undefined ? 'stderr' : { file: settings.logFile },
    });
    const report = await release(settings, isForced, { clock: systemClock, log: log.logger('release') });
    if (report.isHeldByAnother) {
      process.stdout.write('Nothing changed: another ovs-ipfix holds the lock of the active daemon.\n');
      return;
    }
    process.stdout.write(
      `${counted(report.rowCount, 'IPFIX row')} changed, ${counted(report.bridgeCount, 'bridge')} cleaned.\n`,
    );
    const { withoutExporter } = report;
    if (withoutExporter !== undefined) {
      process.stdout.write(`${withoutExporter.charAt(0).toUpperCase()}${withoutExporter.slice(1)}.\n`);
    }
    if (report.failures.length > 0) {
      throw new Error(`These bridges could not be cleaned: ${report.failures.join(' ')}`);
    }
  });
}

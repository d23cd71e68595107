// `ovs-ipfix run`: the daemon, in the foreground, until SIGTERM, SIGINT or SIGHUP.

import { Command } from 'commander';
import { type RunSettings, readRunSettings } from '../config/settings.ts';
import { Daemon } from '../daemon.ts';
import { RECORD_FORMAT_DEFAULT } from '../ipfix/record-layout.ts';
import { systemClock } from '../runtime/clock.ts';
import { compileLate } from '../runtime/late-compilation.ts';
import type { Finding } from './doctor/finding.ts';
import { examine } from './doctor.ts';
import {
  addCollectorTlsOptions,
  addFileTargetsOptions,
  adoptFlag,
  flag,
  foldDatabase,
  sourceAddressFlag,
  tlsDirFlag,
} from './options.ts';
import { addOvsOptions } from './ovs-options.ts';
import { hasPidFile, removePidFile, runLocked } from './run/pidfile.ts';
import { ServiceNotifier } from './service-notifier.ts';
import { version } from './version.ts';

/** Signals that stop the daemon. Those that follow change nothing: a terminal signals the launcher and the daemon. */
const STOP_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];
/** Milliseconds after which a stop fails; flows and rows may then be left to `release`. */
const STOP_DEADLINE_MS = 4900;

export function runCommand(): Command {
  const command = addOvsOptions(
    new Command('run').description('export flow records for the bridges of an Open vSwitch (the daemon)'),
  );
  return addFileTargetsOptions(addCollectorTlsOptions(command))
    .addOption(tlsDirFlag())
    .addOption(adoptFlag())
    .addOption(
      flag('--unmetered <what>', 'bridges without OpenFlow meters: refuse or allow (default: refuse)'),
    )
    .addOption(flag('--message-bytes-max <bytes>', 'largest IPFIX message over UDP (default: 1400)'))
    .addOption(
      flag(
        '--message-rate-max <number>',
        'most IPFIX messages a second to a collector over UDP (default: 32000)',
      ),
    )
    .addOption(
      flag(
        '--queue-bytes <bytes>',
        'memory for messages that wait for a collector over TCP, over TLS or for a file (default: 33554432)',
      ),
    )
    .addOption(
      flag(
        '--record-format <format>',
        `format of records where a row sets none: extended or original (default: ${RECORD_FORMAT_DEFAULT})`,
      ),
    )
    .addOption(
      flag(
        '--engine <engine>',
        'flow caches: typescript, wasm, or auto: wasm where it can be had (default: typescript)',
      ),
    )
    .addOption(sourceAddressFlag())
    .addOption(
      flag('--unixctl <file>', 'control socket for ovs-appctl (default: $OVS_RUNDIR/ovs-ipfix.PID.ctl)'),
    )
    .addOption(
      flag(
        '--pidfile <file>',
        'write and lock a pid file, so that "ovs-appctl -t ovs-ipfix" finds the daemon (default: $OVS_RUNDIR/ovs-ipfix.pid)',
      ),
    )
    .addOption(flag('--web <address:port>', 'serve the live page, /status.json and /metrics (default: off)'))
    .addOption(flag('--web-token-file <file>', 'clients need the token in the first line of this file'))
    .addOption(flag('--web-insecure', 'allow every client, also from other hosts'))
    .action(async (database: string | undefined, flags: Record<string, unknown>) => {
      const settings = readRunSettings(foldDatabase(database, flags, command));
      const { pidFile } = settings;
      if (pidFile === undefined) {
        await runUntilStopped(settings).finally(endProcess);
      } else if (hasPidFile()) {
        await runUntilStopped(settings).finally(() => {
          removePidFile(pidFile);
          endProcess();
        });
      } else {
        process.exitCode = await runLocked(pidFile);
      }
    });
}

async function runUntilStopped(settings: RunSettings): Promise<void> {
  compileLate('daemon');
  let stop: (reason: string) => void = () => {};
  const stopping = new Promise<string>((resolve) => {
    stop = resolve;
  });
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => stop(`${signal} received`));
  }
  const daemon = new Daemon(settings, version, {
    onExit: () => stop('the command "exit" received'),
    examine: () => examineFor(settings),
  });
  process.on('uncaughtException', (thrown: unknown) => {
    if (!daemon.survives(thrown)) {
      endByBug(thrown);
    }
  });
  const notifier = new ServiceNotifier({
    environment: process.env,
    pid: process.pid,
    clock: systemClock,
    state: () => daemon.missing().join(' ') || 'Ready: all configured bridges are hooked.',
    onFault: (sentence) => process.stderr.write(`ovs-ipfix: ${sentence}\n`),
  });
  await daemon.start();
  await notifier.start();
  const reason = await stopping;
  // Not waited for: systemd may be slow.
  void notifier.stop();
  await daemon.stop(reason, STOP_DEADLINE_MS);
}

/** Examines for the page. */
function examineFor(settings: RunSettings): Promise<readonly Finding[]> {
  return examine({ ...settings, format: 'json', isBeforeStart: false }, systemClock);
}

/** Ends the process as Node.js does after an uncaught exception: its state is unknown. */
function endByBug(thrown: unknown): void {
  process.stderr.write(
    `ovs-ipfix: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`,
  );
  process.exit(1);
}

/**
 * Ends the process as soon as the reason for an exit code of 1 is printed. A connection to a frozen or flooding peer that is
 * still being closed would keep the process alive.
 */
function endProcess(): void {
  setImmediate(() => process.exit());
}

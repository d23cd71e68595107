// `ovs-ipfix doctor`: looks at Open vSwitch, the rows, the collectors, the daemon and the clock, and explains what it
// finds. It changes nothing.

import { Command } from 'commander';
import { type DoctorSettings, MARK_DEFAULT, readDoctorSettings } from '../config/settings.ts';
import { conditionLines } from '../report/condition-lines.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { clause, reasonOf } from '../runtime/sentence.ts';
import { type Colour, coloured } from './colour.ts';
import { checkBridge } from './doctor/bridge-checks.ts';
import { lookAtBridge } from './doctor/bridge-look.ts';
import { checkCollector } from './doctor/collector-checks.ts';
import { lookAtDaemons } from './doctor/daemon-checks.ts';
import { type DatabaseLook, DatabaseUnreachable, lookAtDatabase } from './doctor/database-look.ts';
import { type Finding, finding, type Severity } from './doctor/finding.ts';
import { checkClock, checkSwitch } from './doctor/host-checks.ts';
import { checkMark } from './doctor/mark-checks.ts';
import { checkRows, targetsInUse } from './doctor/row-checks.ts';
import { addDatabaseOptions, flag, flagOf, foldDatabase, openflowFlag } from './options.ts';

/** Names the document of `--format json`, and its version, as in `status`. */
const DOCTOR_SCHEMA = { schema: 'ovs-ipfix/doctor', version: 1 } as const;

const EXIT_WARNINGS = 3;
const EXIT_ERRORS = 4;

export function doctorCommand(): Command {
  const command = addDatabaseOptions(
    new Command('doctor').description('look for what keeps flows from being exported, and say what to do'),
  );
  return command
    .addOption(openflowFlag())
    .addOption(flag('--mark <bit>', `the daemon's register bit (default: ${MARK_DEFAULT})`))
    .addOption(flag('--unixctl <file>', 'control socket of the daemon (default: all in $OVS_RUNDIR)'))
    .addOption(flagOf('doctor', '--format <format>', 'table or json (default: table)'))
    .action(async (database: string | undefined, flags: Record<string, unknown>) => {
      const settings = readDoctorSettings(foldDatabase(database, flags, command));
      const findings = await examine(settings, systemClock);
      const text =
        settings.format === 'json'
          ? JSON.stringify({ ...DOCTOR_SCHEMA, findings }, undefined, 2)
          : findingsText(findings);
      process.stdout.write(`${text}\n`);
      process.exitCode = exitCode(findings);
    });
}

async function examine(settings: DoctorSettings, clock: Clock): Promise<Finding[]> {
  const daemon = await lookAtDaemons(settings.unixctlPath, clock);
  const findings: Finding[] = [...daemon.findings];
  let look: DatabaseLook | undefined;
  try {
    look = await lookAtDatabase(settings, clock);
  } catch (error) {
    findings.push(unreadable(error));
  }
  if (look !== undefined) {
    const seen = look;
    // The daemon knows more than the rows do: what the bridges have refused.
    findings.push(...(daemon.status?.conditions ?? seen.configuration.conditions));
    findings.push(...(await attempt('the rows', async () => checkRows(seen, daemon.status !== undefined))));
    findings.push(...(await attempt('the switch', () => checkSwitch(seen, settings, clock))));
    const isAlone = daemon.status === undefined;
    for (const bridge of isAlone ? allBridges(seen) : seen.configuration.bridges.keys()) {
      const place = { bridge, endpoint: settings.openflow(bridge), tls: settings.tls, mark: settings.mark };
      const isExported = seen.configuration.bridges.has(bridge);
      const check = async () => {
        const met = await lookAtBridge(place, clock);
        if (met === undefined) {
          return [];
        }
        return [...(isExported ? checkMark(met) : []), ...(isAlone ? checkBridge(met, isExported) : [])];
      };
      findings.push(...(await attempt(`bridge ${bridge}`, check)));
    }
    for (const target of targetsInUse(seen)) {
      findings.push(...(await attempt(`the collector ${target}`, () => checkCollector(target, clock))));
    }
  }
  findings.push(...(await attempt('the clock', async () => checkClock(clock))));
  const order: readonly Severity[] = ['error', 'warning', 'note'];
  return findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

function unreadable(error: unknown): Finding {
  const reason = clause(reasonOf(error));
  if (error instanceof DatabaseUnreachable && error.isForbidden) {
    return finding(
      'error',
      'database-forbidden',
      'OVS database',
      `You may not connect to it: ${reason}.`,
      'Run this command as root, or as the user that the socket belongs to.',
    );
  }
  return finding(
    'error',
    'database-unreachable',
    'OVS database',
    `It cannot be read: ${reason}.`,
    'Start it with "systemctl start openvswitch-switch", or say with --db where it is.',
  );
}

/** A daemon that is gone may have left something also where no row wants anything any more. */
function allBridges({ tables }: DatabaseLook): readonly string[] {
  return [...tables.bridges].map(({ columns }) => String(columns['name']));
}

/** A check that fails is a finding, and the others go on. */
async function attempt(what: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    const action = 'This is a fault of ovs-ipfix or of its rights here; the other checks were done.';
    return [
      finding(
        'warning',
        'check-failed',
        what,
        `It could not be checked: ${clause(reasonOf(error))}.`,
        action,
      ),
    ];
  }
}

const COLOURS: Readonly<Record<Severity, Colour>> = { error: 'red', warning: 'yellow', note: 'cyan' };

function findingsText(findings: readonly Finding[]): string {
  const count = (severity: Severity) => findings.filter((each) => each.severity === severity).length;
  const lines = findings.flatMap((each) =>
    conditionLines(each, (line) => coloured(COLOURS[each.severity], line)),
  );
  const sum = `${count('error')} errors, ${count('warning')} warnings, ${count('note')} notes`;
  return [...lines, sum].join('\n');
}

function exitCode(findings: readonly Finding[]): number {
  if (findings.some(({ severity }) => severity === 'error')) {
    return EXIT_ERRORS;
  }
  return findings.some(({ severity }) => severity === 'warning') ? EXIT_WARNINGS : 0;
}

// `ovs-ipfix doctor`: checks Open vSwitch, the rows, the collectors, the daemon and the clock, and reports findings. It changes
// nothing.

import { Command } from 'commander';
import type { BridgeConfig } from '../config/configuration.ts';
import { type DoctorSettings, readDoctorSettings } from '../config/doctor-settings.ts';
import { MARK_DEFAULT } from '../config/settings.ts';
import { conditionLines } from '../report/condition-lines.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { counted } from '../runtime/counted.ts';
import { safeText } from '../runtime/safe-text.ts';
import { clause, reasonOf } from '../runtime/sentence.ts';
import { type Colour, coloured } from './colour.ts';
import { foreseeBridge, foreseeRows } from './doctor/before-start.ts';
import { checkBridge, checkNeeds, isExported } from './doctor/bridge-checks.ts';
import { readBridge } from './doctor/bridge-facts.ts';
import { byCause } from './doctor/causes.ts';
import { checkCollector } from './doctor/collector-checks.ts';
import { askDaemons, type DaemonFacts, withActiveDaemon } from './doctor/daemon-checks.ts';
import {
  type DatabaseFacts,
  DatabaseUnreachable,
  knownTlsFiles,
  readDatabase,
} from './doctor/database-facts.ts';
import { type Finding, finding, type Severity } from './doctor/finding.ts';
import { checkClock } from './doctor/host-checks.ts';
import { checkMark } from './doctor/mark-checks.ts';
import { checkRows, targetsInUse } from './doctor/row-checks.ts';
import { checkSwitch } from './doctor/switch-checks.ts';
import {
  addCollectorTlsOptions,
  addDatabaseOptions,
  adoptFlag,
  flag,
  flagOf,
  foldDatabase,
  openflowFlag,
  sourceAddressFlag,
  tlsDirFlag,
} from './options.ts';

/** Schema and version of the document of `--format json`, as in `status`. */
const DOCTOR_SCHEMA = { schema: 'ovs-ipfix/doctor', version: 1 } as const;

/** The worst one first. */
const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];
const EXIT_WARNINGS = 3;
const EXIT_ERRORS = 4;

export function doctorCommand(): Command {
  const command = addDatabaseOptions(
    new Command('doctor').description('find what keeps flows from being exported, and say what to do'),
  );
  return addCollectorTlsOptions(command)
    .addOption(tlsDirFlag())
    .addOption(sourceAddressFlag())
    .addOption(openflowFlag())
    .addOption(flag('--mark <bit>', `the daemon's register bit (default: ${MARK_DEFAULT})`))
    .addOption(flag('--unixctl <file>', 'control socket of the daemon (default: all in $OVS_RUNDIR)'))
    .addOption(
      flagOf('doctor', '--before-start', 'what a start of the daemon would take over, change and cost'),
    )
    .addOption(adoptFlag())
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

/** Returns the findings, errors first. */
export async function examine(settings: DoctorSettings, clock: Clock): Promise<Finding[]> {
  const { isBeforeStart } = settings;
  const findings: Finding[] = [];
  let daemon = await askDaemons(settings.unixctlPath, clock);
  try {
    const facts = await readDatabase(settings, !daemon.mayRun, clock);
    daemon = facts.isLockHeld ? withActiveDaemon(daemon) : daemon;
    const found = isBeforeStart
      ? foresee(facts, settings, clock)
      : checkFacts(facts, daemon, settings, clock);
    findings.push(...(await found));
  } catch (error) {
    if (!(error instanceof DatabaseUnreachable)) {
      throw error;
    }
    findings.push(unreachable(error));
  }
  findings.unshift(...(isBeforeStart ? besideDaemon(daemon) : daemon.findings));
  findings.push(...(await attempt('the clock', async () => checkClock(clock))));
  return byCause(findings.map(shown)).toSorted(
    (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
  );
}

async function checkFacts(
  facts: DatabaseFacts,
  { status, mayRun }: DaemonFacts,
  settings: DoctorSettings,
  clock: Clock,
): Promise<Finding[]> {
  // A running daemon reports more conditions than the rows show: those of its bridges.
  const known: readonly Finding[] = status?.conditions ?? facts.configuration.conditions;
  const findings = [...known];
  const presence = { isRunning: mayRun, isAdopting: status?.database.lock !== 'lost' };
  findings.push(...(await attempt('the rows', async () => checkRows(facts, presence))));
  const ofSwitch = await attempt('the switch', () => checkSwitch(facts, settings, clock));
  findings.push(...ofSwitch.filter((each) => !known.some((other) => isSame(each, other))));
  for (const config of facts.configuration.bridges.values()) {
    const check = () => checkOneBridge(config, !mayRun, settings, clock);
    findings.push(...(await attempt(`bridge ${config.name}`, check)));
  }
  for (const target of targetsInUse(facts)) {
    const check = () => checkCollector(target, knownTlsFiles(target), clock);
    findings.push(...(await attempt(`the collector ${target.text}`, check)));
  }
  return findings;
}

/** Returns what a start of the daemon would do, and what would prevent it; collectors are not asked. */
async function foresee(facts: DatabaseFacts, settings: DoctorSettings, clock: Clock): Promise<Finding[]> {
  const { openflow, tls, mark, adopt } = settings;
  const findings: Finding[] = [...facts.configuration.conditions];
  findings.push(...(await attempt('the rows', async () => foreseeRows(facts, adopt))));
  findings.push(...(await attempt('the switch', () => checkSwitch(facts, settings, clock))));
  for (const config of facts.configuration.bridges.values()) {
    const look = async (): Promise<Finding[]> => {
      const place = { bridge: config.name, endpoint: openflow(config.name), tls, mark };
      const bridge = isExported(config) ? await readBridge(place, clock) : undefined;
      return bridge === undefined
        ? []
        : [...foreseeBridge(bridge, config), ...checkNeeds(bridge, config), ...checkMark(bridge)];
    };
    findings.push(...(await attempt(`bridge ${config.name}`, look)));
  }
  return findings;
}

function besideDaemon({ mayRun }: DaemonFacts): Finding[] {
  return mayRun
    ? [
        finding(
          'note',
          'start-stands-by',
          'ovs-ipfix',
          'A daemon runs already: another one would stand by until that one ends.',
          'Ask the running one: "ovs-ipfix doctor" without --before-start.',
        ),
      ]
    : [];
}

/** Without a daemon every bridge is read: one that no row asks for may have stale state as well. */
async function checkOneBridge(
  config: BridgeConfig,
  isAlone: boolean,
  { openflow, tls, mark }: DoctorSettings,
  clock: Clock,
): Promise<Finding[]> {
  if (!isAlone && !isExported(config)) {
    return [];
  }
  const bridge = config.name;
  const facts = await readBridge({ bridge, endpoint: openflow(bridge), tls, mark }, clock);
  if (facts === undefined) {
    return [];
  }
  return [...(isExported(config) ? checkMark(facts) : []), ...(isAlone ? checkBridge(facts, config) : [])];
}

/** Returns the finding with what it quotes of others made safe to show. */
function shown(one: Finding): Finding {
  const { where, message, action } = one;
  return { ...one, where: safeText(where), message: safeText(message), action: safeText(action) };
}

function isSame(a: Finding, b: Finding): boolean {
  return a.code === b.code && a.where === b.where;
}

function unreachable(error: DatabaseUnreachable): Finding {
  const reason = clause(reasonOf(error));
  if (error.isForbidden) {
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
    'Start it with "systemctl start openvswitch-switch", or name it with --db.',
  );
}

/** Runs a check; a failure is a finding, and the other checks go on. */
async function attempt(what: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    const action = 'This is a bug of ovs-ipfix, or it lacks access rights here; the other checks were done.';
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
  const sum = SEVERITIES.map((severity) => counted(count(severity), severity)).join(', ');
  return [...lines, sum].join('\n');
}

function exitCode(findings: readonly Finding[]): number {
  if (findings.some(({ severity }) => severity === 'error')) {
    return EXIT_ERRORS;
  }
  return findings.some(({ severity }) => severity === 'warning') ? EXIT_WARNINGS : 0;
}

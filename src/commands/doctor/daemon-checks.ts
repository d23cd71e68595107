// Whether a daemon runs and is ready, and the losses in its status.

import { readdirSync, statSync } from 'node:fs';
import type { StatusDocument } from '../../report/status-document.ts';
import type { Clock } from '../../runtime/clock.ts';
import { codeOf, isForbidden, rootCodeOf } from '../../runtime/error-code.ts';
import { controlSockets, runDirectory } from '../../runtime/rundir.ts';
import { clause, reasonOf } from '../../runtime/sentence.ts';
import { askUnixctl } from '../../unixctl/client.ts';
import { anotherProgram, UnixctlError } from '../../unixctl/errors.ts';
import { version } from '../version.ts';
import { type Finding, finding } from './finding.ts';
import { checkLosses } from './loss-checks.ts';
import { checkReceiveBuffer } from './receive-buffer.ts';

const ANSWER_MS_MAX = 3000;

/** The findings, and the status of the active daemon if one answers. */
export interface DaemonFacts {
  readonly findings: readonly Finding[];
  readonly status: StatusDocument | undefined;
  /** Whether a daemon may run: one answers, does not answer in time, or may not be asked. */
  readonly mayRun: boolean;
}

/** Asks each control socket in the run directory, or only the given one. */
export async function askDaemons(given: string | undefined, clock: Clock): Promise<DaemonFacts> {
  const findings: Finding[] = [];
  const states: StatusDocument[] = [];
  const paths = given === undefined ? foundSockets(findings) : [given];
  for (const path of paths) {
    try {
      const json = await askUnixctl(path, 'status', ['json'], { clock, timeoutMs: ANSWER_MS_MAX });
      states.push(JSON.parse(json) as StatusDocument);
    } catch (error) {
      findings.push(...unanswered(path, error));
    }
  }
  const active = states.find(({ database }) => database.lock === 'held') ?? states[0];
  if (active === undefined) {
    const mayRun = findings.some(({ code }) => code === 'daemon-forbidden' || code === 'daemon-silent');
    return { findings: mayRun ? findings : [...findings, away(given)], status: undefined, mayRun };
  }
  if (states.length > 1) {
    const pids = states.map(({ program }) => program.pid).join(', ');
    const message = `${states.length} daemons run (pids ${pids}); one exports, and the others stand by.`;
    findings.push(
      finding('note', 'daemons-several', 'ovs-ipfix', message, 'Stop those that you do not need.'),
    );
  }
  return { findings: [...findings, ...checkDaemon(active)], status: active, mayRun: true };
}

/** Corrects what was asked of the control sockets when the database shows that a daemon is active. */
export function withActiveDaemon(facts: DaemonFacts): DaemonFacts {
  const findings = facts.findings.map((each) =>
    each.code === 'daemon-away'
      ? {
          ...each,
          message: `${clause(each.message)}, and one is active: it holds the lock in the database.`,
          action:
            'Name its control socket with --unixctl, or its folder with OVS_RUNDIR, to see its state here.',
        }
      : each,
  );
  return { ...facts, findings, mayRun: true };
}

function away(given: string | undefined): Finding {
  return finding(
    'warning',
    'daemon-away',
    'ovs-ipfix',
    given === undefined ? `No daemon answers in ${runDirectory()}.` : `No daemon answers at ${given}.`,
    'Start it with "systemctl start ovs-ipfix" or "ovs-ipfix run"; if it runs elsewhere, set OVS_RUNDIR or --unixctl.',
  );
}

/** Returns the control sockets in the run directory; one that may not be read is a finding. */
function foundSockets(findings: Finding[]): readonly string[] {
  const folder = runDirectory();
  try {
    return controlSockets(readdirSync(folder), folder).map(({ path }) => path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return [];
    }
    findings.push(
      finding(
        'error',
        'daemon-forbidden',
        folder,
        `You may not read this folder, which has the daemon's control socket: ${reasonOf(error)}.`,
        `Run this command as root, or as the user that the folder belongs to${ownerOf(folder)}.`,
      ),
    );
    return [];
  }
}

function unanswered(path: string, error: unknown): readonly Finding[] {
  if (isForbidden(error)) {
    return [
      finding(
        'error',
        'daemon-forbidden',
        path,
        'You may not connect to the daemon: you need write permission for its control socket.',
        `Run this command as root, or as the user that the socket belongs to${ownerOf(path)}.`,
      ),
    ];
  }
  const fault = anotherProgram(error);
  if (fault !== undefined) {
    return [
      finding('error', 'daemon-silent', path, `It ${fault}.`, 'Name that of the daemon with --unixctl.'),
    ];
  }
  switch (error instanceof UnixctlError && error.code === 'UNIXCTL_UNREACHABLE' ? rootCodeOf(error) : '') {
    case 'ENOENT':
      // It was removed meanwhile, or the path is wrong: no daemon answers there.
      return [];
    case 'ECONNREFUSED':
      return [
        finding(
          'note',
          'socket-left',
          path,
          'No process listens at this control socket: the daemon that made it was killed.',
          'The next start of a daemon in this folder removes it.',
        ),
      ];
    default:
      return [
        finding(
          'error',
          'daemon-silent',
          path,
          `The daemon does not answer: ${reasonOf(error)}.`,
          'It hangs or is stopped: restart it with "systemctl restart ovs-ipfix", and keep its log.',
        ),
      ];
  }
}

/** Returns the owner of a file for the end of a clause: " (user id 0)"; nothing if that is not known. */
function ownerOf(path: string): string {
  try {
    return ` (user id ${statSync(path).uid})`;
  } catch {
    // A folder above may not be searched either.
    return '';
  }
}

function checkDaemon(status: StatusDocument): Finding[] {
  const where = `ovs-ipfix, pid ${status.program.pid}`;
  const findings = status.missing.map((sentence) =>
    finding(
      'error',
      'daemon-not-ready',
      where,
      sentence,
      status.database.lock === 'lost'
        ? 'Run "ovs-appctl -t ovs-ipfix readopt", unless it is to leave the rows to ovs-vswitchd.'
        : 'It retries by itself; the other findings and its log say why.',
    ),
  );
  if (status.program.version !== version) {
    const message = `The daemon is version ${status.program.version}, and this program ${version}.`;
    findings.push(
      finding('warning', 'daemon-other-version', where, message, 'Restart the daemon after an upgrade.'),
    );
  }
  return [...findings, ...checkLosses(status), ...checkReceiveBuffer(status.bridges)];
}

// Whether a daemon runs and is ready, and the losses in its status.

import { existsSync, readdirSync } from 'node:fs';
import { listExporters } from '../../report/exporter-list.ts';
import type { StatusDocument } from '../../report/status-document.ts';
import type { Clock } from '../../runtime/clock.ts';
import { controlSockets, runDirectory } from '../../runtime/rundir.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { askUnixctl } from '../../unixctl/client.ts';
import { UnixctlError } from '../../unixctl/errors.ts';
import { version } from '../version.ts';
import { type Finding, finding } from './finding.ts';
import { checkReceiveBuffer } from './receive-buffer.ts';

const ANSWER_MS_MAX = 3000;

/** The findings, and the status of the active daemon if one answers. */
export interface DaemonFacts {
  readonly findings: readonly Finding[];
  readonly status: StatusDocument | undefined;
}

/** Asks each control socket in the run directory, or only the given one. */
export async function askDaemons(given: string | undefined, clock: Clock): Promise<DaemonFacts> {
  const findings: Finding[] = [];
  const states: StatusDocument[] = [];
  for (const path of given === undefined ? foundSockets() : [given]) {
    try {
      const json = await askUnixctl(path, 'status', ['json'], { clock, timeoutMs: ANSWER_MS_MAX });
      states.push(JSON.parse(json) as StatusDocument);
    } catch (error) {
      findings.push(unanswered(path, error));
    }
  }
  const active = states.find(({ database }) => database.lock === 'held') ?? states[0];
  if (active === undefined) {
    findings.push(
      finding(
        'warning',
        'daemon-away',
        'ovs-ipfix',
        `No daemon answers in ${runDirectory()}.`,
        'Start it with "systemctl start ovs-ipfix" or "ovs-ipfix run"; if it runs elsewhere, set OVS_RUNDIR or --unixctl.',
      ),
    );
    return { findings, status: undefined };
  }
  if (states.length > 1) {
    const pids = states.map(({ program }) => program.pid).join(', ');
    const message = `${states.length} daemons run (pids ${pids}); one exports, and the others stand by.`;
    findings.push(
      finding('note', 'daemons-several', 'ovs-ipfix', message, 'Stop those that you do not need.'),
    );
  }
  return { findings: [...findings, ...checkDaemon(active)], status: active };
}

function foundSockets(): readonly string[] {
  const folder = runDirectory();
  return existsSync(folder) ? controlSockets(readdirSync(folder), folder).map(({ path }) => path) : [];
}

function unanswered(path: string, error: unknown): Finding {
  const isGone = error instanceof UnixctlError && error.code === 'UNIXCTL_UNREACHABLE';
  if (isGone) {
    return finding(
      'note',
      'socket-left',
      path,
      'No process listens at this control socket: a daemon was killed, or you may not connect to it.',
      `If no daemon runs, remove it with "rm ${path}"; else run this command as the daemon's user.`,
    );
  }
  return finding(
    'error',
    'daemon-silent',
    path,
    `The daemon does not answer: ${reasonOf(error)}.`,
    'It hangs or is stopped: restart it with "systemctl restart ovs-ipfix", and keep its log.',
  );
}

function checkDaemon(status: StatusDocument): Finding[] {
  const where = `ovs-ipfix, pid ${status.program.pid}`;
  const findings = status.missing.map((sentence) =>
    finding(
      'error',
      'daemon-not-ready',
      where,
      sentence,
      'It retries by itself; the other findings and its log say why.',
    ),
  );
  if (status.program.version !== version) {
    const message = `The daemon is version ${status.program.version}, and this program ${version}.`;
    findings.push(
      finding('warning', 'daemon-other-version', where, message, 'Restart the daemon after an upgrade.'),
    );
  }
  for (const { label, exporter, meter } of listExporters(status)) {
    for (const { target, recordsLost, lastError } of exporter.collectors) {
      if (recordsLost === 0) {
        continue;
      }
      const message = `${recordsLost} records could not be sent${lastError === undefined ? '' : `; last: ${lastError}`}.`;
      findings.push(
        finding(
          'warning',
          'records-lost',
          `Collector ${target} of ${label}`,
          message,
          'See that the collector runs and can be reached.',
        ),
      );
    }
    if (meter.writtenOffPackets >= 1 || meter.shareDropped > 0) {
      const message = `The meter dropped ${meter.droppedByMeter} packets, and ${meter.lost} packets were lost after it; ${Math.round(meter.writtenOffPackets)} packets could not be compensated.`;
      findings.push(
        finding(
          'warning',
          'packets-missing',
          `Exporter ${label}`,
          message,
          'Raise external_ids:ovs-ipfix-max-rate of the bridge if the host has spare CPU time; a larger "sampling" does not help.',
        ),
      );
    }
  }
  return [...findings, ...checkReceiveBuffer(status.bridges)];
}

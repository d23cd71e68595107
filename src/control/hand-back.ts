// Hands the adopted rows back to ovs-vswitchd at a stop, within a time limit: a database that is down may come back, a row that is
// edited at that moment is planned again, and a database that does not answer is not waited for any longer.

import { type IpfixRow, readIpfixRow } from '../config/ipfix-row.ts';
import { ownerOf } from '../config/own-rows.ts';
import type { StopLoss } from '../export/exporter-status.ts';
import type { Clock } from '../runtime/clock.ts';
import { counted } from '../runtime/counted.ts';
import { clause, reasonOf } from '../runtime/sentence.ts';
import { msUntil, settlesWithin } from '../runtime/within.ts';
import type { DatabaseSession } from './database-session.ts';
import { removeOwnRows } from './own-rows.ts';
import { planRelease } from './ownership.ts';
import { type RowChange, targetsWithoutExporter } from './row-change.ts';

/** Milliseconds after the begin of a stop at which rows are handed back, even if hooks or actions are still being removed. */
export const SOURCES_END_MS = 1500;
/** Milliseconds after the begin of a stop at which rows are handed back, or stay adopted. */
export const ROWS_END_MS = 2000;
/** Milliseconds after the begin of a stop at which the flush of the caches ends; what is not sent by then is lost. */
export const FLUSH_END_MS = 4800;
/** Most attempts to release rows at a stop: a row that is edited at that moment is planned again. */
const RELEASE_ROUNDS_MAX = 5;
/** Milliseconds that a stop waits for a database that is down while rows are adopted. */
const DATABASE_WAIT_MS = 800;
/** Milliseconds that a stop waits for the end of the connection to the database, and for a last sign of life before it. */
const DATABASE_CLOSE_MS = 50;
const COMMAND = 'run "ovs-ipfix release"';

/** What remains after a stop. */
export interface StopReport {
  /** What is left in switches and rows, each with the command that removes it, and what was not sent: sentences. */
  readonly left: readonly string[];
  /** See `describeWithoutExporter`. */
  readonly withoutExporter: string | undefined;
}

/** Hands all rows back within `timeoutMs`; resolves to a sentence about rows that remain adopted, or undefined. */
export async function handBackRows(
  database: DatabaseSession,
  clock: Clock,
  timeoutMs: number,
): Promise<string | undefined> {
  const endMicros = clock.monotonicMicros() + timeoutMs * 1000;
  if (adoptedRows(database).length > 0 && database.lock === 'none') {
    await database.held(Math.min(DATABASE_WAIT_MS, timeoutMs));
  }
  for (let round = 1; database.lock === 'held'; round += 1) {
    try {
      const isDone = await settlesWithin(clock, msUntil(clock, endMicros), releaseRows(database));
      return isDone
        ? undefined
        : `IPFIX rows could not be handed back: the database does not answer; ${COMMAND}.`;
    } catch (error) {
      if (round === RELEASE_ROUNDS_MAX) {
        return `IPFIX rows could not be handed back: ${reasonOf(error)}; ${COMMAND}.`;
      }
    }
  }
  const adopted = adoptedRows(database).length;
  if (adopted > 0 && database.lock === 'none') {
    const { lastError } = database.status();
    const why = lastError === undefined ? '' : ` (${clause(lastError)})`;
    return `${counted(adopted, 'IPFIX row is', 'IPFIX rows are')} still adopted, because the database is down${why}; ${COMMAND}.`;
  }
  return undefined;
}

/** Shows a standby that the rows were handed back by this daemon, without waiting for long. */
export async function showLastLife(database: DatabaseSession, clock: Clock): Promise<void> {
  await settlesWithin(clock, DATABASE_CLOSE_MS, database.showLastLife());
}

/** Closes the connection to the database, without waiting for long. */
export async function closeDatabase(database: DatabaseSession, clock: Clock): Promise<void> {
  await settlesWithin(clock, DATABASE_CLOSE_MS, database.stop());
}

/** Returns a sentence about what could not be sent in the time of a stop; undefined when everything was sent. */
export function describeLoss(losses: readonly StopLoss[]): string | undefined {
  const flows = losses.reduce((sum, { flowsUnsent }) => sum + flowsUnsent, 0);
  const records = losses.reduce((sum, { recordsLost }) => sum + recordsLost, 0);
  const parts = [
    ...(flows === 0 ? [] : [`${counted(flows, 'flow was', 'flows were')} not sent in time`]),
    ...(records === 0 ? [] : [`${counted(records, 'record')} still waited for a collector`]),
  ];
  return parts.length === 0
    ? undefined
    : `${parts.join(', and ')}: ${flows + records === 1 ? 'it is' : 'they are'} lost.`;
}

/** Writes the changes that release all rows, and removes the daemon's own rows. */
async function releaseRows(database: DatabaseSession): Promise<void> {
  await database.write(adoptedRows(database));
  await removeOwnRows(database);
}

/** Targets that `describeWithoutExporter` names. */
const TARGETS_NAMED_MAX = 16;

/** Returns a clause about the collectors that get nothing once all rows are handed back; undefined without one. */
export function describeWithoutExporter(rows: Iterable<IpfixRow>): string | undefined {
  const texts = [...new Set([...rows].flatMap(targetsWithoutExporter))].sort();
  if (texts.length === 0) {
    return undefined;
  }
  const more = texts.length > TARGETS_NAMED_MAX ? ` and ${texts.length - TARGETS_NAMED_MAX} more` : '';
  const named = texts.slice(0, TARGETS_NAMED_MAX).join(', ');
  return `nothing is exported now to ${named}${more}, because only ovs-ipfix exports to them`;
}

/** Returns the rows of the database. */
export function ipfixRowsOf(database: DatabaseSession): readonly IpfixRow[] {
  return [...(database.tables()?.ipfix.values() ?? [])]
    .filter((row) => ownerOf(row) === undefined)
    .map((row) => readIpfixRow(row, '', []));
}

/** Returns the changes that release all rows. */
function adoptedRows(database: DatabaseSession): readonly RowChange[] {
  return planRelease(ipfixRowsOf(database));
}

// Makes the top of the page from the status and the history.

import { isDown } from '../../export/collector-session.ts';
import { counted } from '../../runtime/counted.ts';
import { commandIn } from '../command-in-text.ts';
import { listExporters } from '../exporter-list.ts';
import type { StatusDocument } from '../status-document.ts';
import { collectorOverviews } from './collector-overview.ts';
import type { History, HistorySlot } from './history.ts';
import { lossesOf, lossItems, lossSentence } from './losses.ts';
import type { OverviewDocument, Sentence, ShownCondition } from './overview-document.ts';
import { BRIDGE_CELLS, BRIDGE_OCTETS, BRIDGE_PACKETS } from './traffic-slot.ts';

/** Seconds of which rates are the mean, of the sentence about losses, and of the list of losses. */
const RATE_SECONDS = 10;
const LOSS_SENTENCE_SECONDS = 60;
const LOSS_SECONDS = 300;
const EVENTS_SHOWN = 50;
/** Conditions that the page shows. */
const CONDITIONS_SHOWN = 50;

/** Returns the overview; `host` is the name of this host. */
export function overviewOf(status: StatusDocument, history: History, host: string): OverviewDocument {
  const slots = history.slots(LOSS_SECONDS);
  const recent = slots.slice(-RATE_SECONDS);
  const seconds = recent.reduce((sum, { traffic }) => sum + traffic.seconds, 0);
  const countSeconds = recent.reduce((sum, { counts }) => sum + counts.seconds, 0);
  const perSecond = (amount: number, of = seconds) => (of > 0 ? amount / of : 0);
  const minute = lossesOf(slots.slice(-LOSS_SENTENCE_SECONDS), history);
  const { program, missing, conditions, conditionsOmitted } = status;
  const isError = ({ severity }: { readonly severity: string }) => severity === 'error';
  const sorted = [...conditions.filter(isError), ...conditions.filter((one) => !isError(one))];
  const shown = sorted.slice(0, CONDITIONS_SHOWN);
  return {
    host,
    time: Date.parse(status.time) / 1000,
    startTime: program.startTime,
    upSeconds: program.upSeconds,
    version: program.version,
    pid: program.pid,
    isReady: missing.length === 0,
    historySeconds: history.seconds,
    state: stateSentence(status),
    losses: lossSentence(minute),
    bits: Math.round(perSecond(8 * totalOf(recent, BRIDGE_OCTETS))),
    packets: Math.round(perSecond(totalOf(recent, BRIDGE_PACKETS))),
    records:
      Math.round(
        10 *
          perSecond(
            recent.reduce((sum, { counts }) => sum + counts.records, 0),
            countSeconds,
          ),
      ) / 10,
    flows: slots.at(-1)?.counts.flows ?? 0,
    lost: lossItems(lossesOf(slots, history)),
    collectors: collectorOverviews(status, history, slots),
    events: history.events.list.slice(-EVENTS_SHOWN).map(({ kind, micros, isGood, text }) => ({
      kind,
      time: history.wallSeconds(micros),
      isGood,
      text,
    })),
    conditions: shown.map(shownCondition),
    conditionsOmitted: conditionsOmitted + conditions.length - shown.length,
  };
}

/** Returns a condition or finding with the command that its action quotes. */
export function shownCondition(condition: Omit<ShownCondition, 'command'>): ShownCondition {
  const { code, severity, where, message, action } = condition;
  return { code, severity, where, message, action, command: commandIn(action) };
}

/** Returns the state of the export as one sentence. */
function stateSentence(status: Pick<StatusDocument, 'missing' | 'bridges' | 'conditions'>): Sentence {
  const { missing, bridges, conditions } = status;
  const exporters = listExporters(status);
  const collectors = new Map<string, boolean>();
  for (const { exporter } of exporters) {
    for (const collector of exporter.collectors) {
      collectors.set(
        collector.target,
        isDown(collector.state) || (collectors.get(collector.target) ?? false),
      );
    }
  }
  const down = [...collectors].flatMap(([target, isAway]) => (isAway ? [target] : []));
  const errors = conditions.filter(({ severity }) => severity === 'error').length;
  if (missing.length > 0) {
    const more = missing.length > 1 ? ` (and ${counted(missing.length - 1, 'more reason')})` : '';
    return { mood: 'bad', text: `Not ready: ${missing[0]}${more}` };
  }
  if (exporters.length === 0) {
    return { mood: errors > 0 ? 'bad' : 'warning', text: 'Ready, but no bridge has a row to export for.' };
  }
  if (down.length > 0) {
    return {
      mood: down.length === collectors.size ? 'bad' : 'warning',
      text: downText(down, collectors.size),
    };
  }
  const what = `Flows of ${counted(bridges.length, 'bridge')} are exported to ${counted(collectors.size, 'collector')}`;
  if (errors > 0) {
    return { mood: 'bad', text: `${what}, with ${counted(errors, 'error')} in the configuration.` };
  }
  return {
    mood: conditions.length > 0 ? 'warning' : 'good',
    text: conditions.length > 0 ? `${what}, with ${counted(conditions.length, 'warning')}.` : `${what}.`,
  };
}

function downText(down: readonly string[], count: number): string {
  if (down.length === count) {
    return count === 1
      ? `The collector ${down[0]} cannot be reached.`
      : `None of ${count} collectors can be reached.`;
  }
  return `${down.length} of ${count} collectors cannot be reached${down.length === 1 ? `: ${down[0]}` : ''}.`;
}

function totalOf(slots: readonly HistorySlot[], cell: number): number {
  let sum = 0;
  for (const { traffic } of slots) {
    for (let at = cell; at < traffic.bridges.length; at += BRIDGE_CELLS) {
      sum += traffic.bridges[at]!;
    }
  }
  return sum;
}

// The read-only commands: status, exporters, caches, collectors, sampling, conditions and flows.

import { FlowFilter } from '../report/flow-filter.ts';
import { interfaceTable } from '../report/interface-table.ts';
import { TABLE_HEAD } from '../report/record-format.ts';
import type { FlowRequest, Report } from '../report/report.ts';
import { plainJson, type StatusDocument, statusJson } from '../report/status-document.ts';
import { statusText } from '../report/status-text.ts';
import {
  cachesTable,
  collectorsTable,
  conditionsTable,
  exportersTable,
  samplingTable,
  type Table,
} from '../report/tables.ts';
import { TOP_FLOWS_MAX } from '../report/top-flows.ts';
import { UnknownWord } from '../report/unknown-word.ts';
import { type CommandRegistry, type FormattedAnswer, refuse } from './commands.ts';

/** Flows to show without `top=N`. */
const FLOWS_DEFAULT = 10;
/** Largest number of words: filter, bridge, set and number. */
const FLOWS_ARGUMENTS_MAX = 16;

/** Registers the commands; see docs/status.md. */
export function registerReportCommands(registry: CommandRegistry, report: Report): void {
  registry.register('status', '[text|json]', 0, 1, ([format = 'text']) => {
    const document = report.status();
    if (format === 'json') {
      return statusJson(document);
    }
    if (format !== 'text') {
      refuse(`"${format}" is not a valid format; write text or json.`);
    }
    return { text: statusText(document), json: plainValue(document) };
  });
  const tables: readonly (readonly [string, (document: StatusDocument) => Table])[] = [
    ['exporters', exportersTable],
    ['caches', cachesTable],
    ['collectors', collectorsTable],
    ['sampling', samplingTable],
    ['conditions', conditionsTable],
  ];
  for (const [name, make] of tables) {
    registry.register(name, '', 0, 0, () => {
      const { text, json } = make(report.status());
      return { text, json: plainValue(json) };
    });
  }
  registry.register('interfaces', '[BRIDGE]', 0, 1, async ([bridge]) =>
    withSentences(async () => {
      const { text, json } = interfaceTable(report.interfaces(bridge));
      return { text, json: plainValue(json) };
    }),
  );
  registry.register(
    'flows',
    '[bridge=NAME] [set=ID] [top=N] [KEY=VALUE]...',
    0,
    FLOWS_ARGUMENTS_MAX,
    async (words) => withSentences(() => flows(report, words)),
  );
}

async function flows(report: Report, words: readonly string[]): Promise<FormattedAnswer> {
  const { rows, matched, flows: count } = await report.topFlows(readFlowRequest(words));
  const head = `${rows.length} of ${matched} flows that match, of ${count} in the caches, by octets`;
  const lines = rows.map(({ text }) => text);
  return { text: `${head}\n${TABLE_HEAD}\n${lines.join('')}`, json: { matched, flows: count, rows } };
}

function readFlowRequest(words: readonly string[]): FlowRequest {
  const own = new Map<string, string>();
  const filterWords: string[] = [];
  for (const word of words) {
    const [key = '', ...rest] = word.split('=');
    if (['bridge', 'set', 'top'].includes(key)) {
      own.set(key, rest.join('='));
    } else {
      filterWords.push(word);
    }
  }
  return {
    bridge: own.get('bridge'),
    collectorSetId: numberOf('set', own.get('set'), 2 ** 32 - 1),
    count: numberOf('top', own.get('top'), TOP_FLOWS_MAX) ?? FLOWS_DEFAULT,
    filter: FlowFilter.parse(filterWords),
  };
}

function numberOf(key: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  const number = /^\d{1,10}$/u.test(text) ? Number(text) : Number.NaN;
  if (!(number <= max)) {
    throw new UnknownWord(`"${key}=${text}": "${text}" is not a whole number from 0 to ${max}.`);
  }
  return number;
}

async function withSentences<Value>(answer: () => Promise<Value>): Promise<Value> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof UnknownWord) {
      return refuse(error.message);
    }
    throw error;
  }
}

/** Returns a value with maps as objects and bigints as strings, as in `status json`. */
function plainValue(value: unknown): unknown {
  return JSON.parse(plainJson(value));
}

// The read-only commands: status, exporters, caches, collectors, sampling, conditions and flows.

import { FLOW_WORDS_MAX, readFlowRequest } from '../report/flow-request.ts';
import { flowTable } from '../report/flow-table.ts';
import { interfaceTable } from '../report/interface-table.ts';
import type { Report } from '../report/report.ts';
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
import { type TopDocument, topText } from '../report/traffic/top-screen.ts';
import type { TrafficDocument } from '../report/traffic/traffic-document.ts';
import { isTrafficRequest, readTrafficRequest } from '../report/traffic/traffic-request.ts';
import { trafficText, trafficTotals } from '../report/traffic/traffic-table.ts';
import { UnknownWord } from '../report/unknown-word.ts';
import { type CommandRegistry, type FormattedAnswer, refuse } from './commands.ts';

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
    '[window=TIME] [bridge=NAME] [set=ID] [top=N] [KEY=VALUE]...',
    0,
    FLOW_WORDS_MAX,
    async (words) => withSentences(() => flows(report, words)),
  );
  registry.register(
    'top',
    '[json] [window=TIME] [by=WHAT] [top=N] [KEY=VALUE]...',
    0,
    FLOW_WORDS_MAX,
    (words) => withSentences(async () => top(report, words)),
  );
}

/** Answers with the screen of `ovs-ipfix top`; as JSON, without the series of the chart. */
function top(report: Report, words: readonly string[]): string | FormattedAnswer {
  const traffic = trafficOf(
    report,
    words.filter((word) => word !== 'json'),
  );
  const document: TopDocument = { overview: report.overview(), traffic: trafficTotals(traffic) };
  return words.includes('json')
    ? plainJson(document)
    : { text: topText(document), json: plainValue(document) };
}

function trafficOf(report: Report, words: readonly string[]): TrafficDocument {
  return (
    report.traffic(readTrafficRequest(words)) ?? refuse('Too many different views are asked for; try again.')
  );
}

async function flows(report: Report, words: readonly string[]): Promise<FormattedAnswer> {
  if (isTrafficRequest(words)) {
    const document = trafficOf(report, words);
    return { text: trafficText(document), json: plainValue(document) };
  }
  const found = await report.topFlows(readFlowRequest(words));
  const { text, rows } = flowTable(found);
  const json = {
    matched: found.matched,
    flows: found.flows,
    rows: found.rows.map(({ values }, index) => ({ values, text: rows[index] })),
  };
  return { text, json };
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

// `ovs-ipfix collect`: a small IPFIX collector that prints the records that it receives and the problems of the messages. For
// debugging an exporter, for the demo and for tests; it stores nothing.

import { Command, InvalidArgumentError } from 'commander';
import { MessageReader } from '../ipfix/message-reader.ts';
import type { DecodedMessage } from '../ipfix/reader-types.ts';
import { jsonLine, recordObject } from '../report/record-format.ts';
import { recordText, TABLE_HEAD } from '../report/record-text.ts';
import { addressText } from '../runtime/address-text.ts';
import { systemClock } from '../runtime/clock.ts';
import { counted } from '../runtime/counted.ts';
import { type ListenAddress, parseListenAddress } from '../runtime/listen-address.ts';
import { safeText } from '../runtime/safe-text.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { CollectServer, type CollectSession } from './collect-server.ts';
import { flagOf } from './options.ts';
import { outputFault } from './output-errors.ts';

interface CollectFlags {
  readonly listen: ListenAddress;
  readonly format: 'table' | 'json';
  readonly count?: number;
  readonly seconds?: number;
}

const LISTEN_DEFAULT: ListenAddress = { host: '0.0.0.0', port: 4739 };
/** Largest output queue for a slow reader, in bytes; records above it are counted and not printed. */
const OUTPUT_BACKLOG_BYTES_MAX = 16 * 1024 * 1024;

/** The `collect` command. */
export function collectCommand(): Command {
  return new Command('collect')
    .description('receive IPFIX over UDP and TCP, and print the records and problems of the messages')
    .addOption(
      flagOf('collect', '--listen <addr:port>', 'address to listen on; port 0 is any free one')
        .argParser(parseListen)
        .default(LISTEN_DEFAULT, '0.0.0.0:4739'),
    )
    .addOption(
      flagOf('collect', '--format <format>', 'table, or json for one object a line')
        .choices(['table', 'json'])
        .default('table'),
    )
    .addOption(
      flagOf('collect', '--count <records>', 'end after this number of records').argParser(parsePositive),
    )
    .addOption(
      flagOf(
        'collect',
        '--seconds <seconds>',
        'end after this time; exit 1 if --count was not reached',
      ).argParser(parsePositive),
    )
    .addHelpText(
      'after',
      `
In json, whole numbers past 2^53 are decimal text and bytes are hex; flowStart
and flowEnd are absolute. A problem is {"problem": CODE, "message": SENTENCE,
...}; in table mode problems go to standard error.`,
    )
    .action(async (flags: CollectFlags) => {
      const collect = new Collect(flags);
      process.exitCode = await collect.run();
    });
}

/** One run of the command. */
class Collect {
  readonly #flags: CollectFlags;
  readonly #reader = new MessageReader();
  readonly #server = new CollectServer({
    message: (session, bytes) => this.#message(session, bytes),
    ended: (session, fault) => this.#ended(session, fault),
  });
  #finish: () => void = () => {};
  #recordCount = 0;
  #messageCount = 0;
  #problemCount = 0;
  #unprintedCount = 0;
  #exporter = '';
  #isHeadPrinted = false;
  #isFinished = false;

  constructor(flags: CollectFlags) {
    this.#flags = flags;
  }

  /** Listens until a signal, the count or the time; returns the exit code. */
  async run(): Promise<number> {
    const finished = new Promise<void>((resolve) => {
      this.#finish = () => {
        this.#isFinished = true;
        resolve();
      };
    });
    process.once('SIGINT', this.#finish).once('SIGTERM', this.#finish);
    // A reader that closes the pipe, such as head(1), ends the command.
    let fault: string | undefined;
    process.stdout.on('error', (error) => {
      fault = outputFault(error);
      this.#finish();
    });
    try {
      const at = await this.#server.listen(this.#flags.listen);
      process.stderr.write(`listening on ${addressText(at.host, at.port)} (udp, tcp)\n`);
    } catch (error) {
      const { host, port } = this.#flags.listen;
      process.stderr.write(
        `ovs-ipfix collect cannot listen on ${addressText(host, port)}: ${reasonOf(error)}.\n`,
      );
      return 1;
    }
    const { seconds, count } = this.#flags;
    const timer = seconds === undefined ? undefined : systemClock.setTimer(this.#finish, seconds * 1000);
    await finished;
    timer?.cancel();
    process.off('SIGINT', this.#finish).off('SIGTERM', this.#finish);
    await this.#server.close();
    process.stderr.write(this.#summary());
    if (fault !== undefined) {
      process.stderr.write(`ovs-ipfix: ${fault}\n`);
      return 1;
    }
    return count !== undefined && seconds !== undefined && this.#recordCount < count ? 1 : 0;
  }

  #message(session: CollectSession, bytes: Buffer): void {
    if (this.#isFinished) {
      return;
    }
    this.#messageCount += 1;
    const message = this.#reader.read(session.key, bytes, session.transport);
    for (const problem of message.problems) {
      this.#problem(session, problem.code, problem.message, message);
    }
    for (const record of message.records) {
      if (this.#flags.format === 'json') {
        this.#print(jsonLine(recordObject(originOf(session), message, record)));
      } else {
        this.#printRow(session, message, recordText(message, record));
      }
      this.#recordCount += 1;
      if (this.#recordCount === this.#flags.count) {
        this.#finish();
        return;
      }
    }
  }

  #ended(session: CollectSession, fault: string | undefined): void {
    this.#reader.endSession(session.key);
    if (fault !== undefined && !this.#isFinished) {
      this.#problem(session, 'bad-stream', fault);
    }
  }

  /** Prints a heading when the exporter or the domain changes, instead of columns for them. */
  #printRow(session: CollectSession, message: DecodedMessage, text: string): void {
    if (!this.#isHeadPrinted) {
      this.#print(`${TABLE_HEAD}\n`);
    }
    this.#isHeadPrinted = true;
    const exporter = `${session.exporter} (${session.transport}), observation domain ${message.observationDomainId}`;
    if (exporter !== this.#exporter) {
      this.#print(`from ${exporter}:\n`);
    }
    this.#exporter = exporter;
    this.#print(text);
  }

  #problem(session: CollectSession, code: string, text: string, message?: DecodedMessage): void {
    this.#problemCount += 1;
    if (this.#flags.format === 'table') {
      process.stderr.write(`problem ${code} from ${session.exporter}: ${safeText(text)}\n`);
      return;
    }
    this.#print(
      jsonLine({
        problem: code,
        message: text,
        exporterAddress: session.exporter,
        transport: session.transport,
        ...(message && {
          observationDomainId: message.observationDomainId,
          sequenceNumber: message.sequenceNumber,
        }),
      }),
    );
  }

  #print(text: string): void {
    if (process.stdout.writableLength > OUTPUT_BACKLOG_BYTES_MAX) {
      this.#unprintedCount += 1;
    } else {
      process.stdout.write(text);
    }
  }

  #summary(): string {
    const { sessionsDropped, domainsDropped, templatesRefused } = this.#reader.status();
    const limits = sessionsDropped + domainsDropped + templatesRefused;
    const records = `${counted(this.#recordCount, 'record')} in ${counted(this.#messageCount, 'message')}`;
    const counts = `${records}, ${counted(this.#problemCount, 'problem')}`;
    const atLimit = limits > 0 ? `, ${counted(limits, 'time')} at a limit` : '';
    const unprinted =
      this.#unprintedCount > 0
        ? `, ${counted(this.#unprintedCount, 'line')} not printed, because the reader was too slow`
        : '';
    const { refused } = this.#server;
    const connections = refused > 0 ? `, connections refused because too many were open: ${refused}` : '';
    return `${counts}${atLimit}${connections}${unprinted}\n`;
  }
}

function parseListen(text: string, before: ListenAddress): ListenAddress {
  if (before !== LISTEN_DEFAULT) {
    throw new InvalidArgumentError('It is given twice. Give it once; [::]:PORT is for IPv4 and IPv6.');
  }
  const address = parseListenAddress(text);
  if (address === undefined) {
    throw new InvalidArgumentError('Write ADDRESS:PORT, [IPV6]:PORT or :PORT.');
  }
  return address;
}

function parsePositive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new InvalidArgumentError('Write a whole number of at least 1.');
  }
  return number;
}

function originOf(session: CollectSession) {
  return { exporterAddress: session.exporter, transport: session.transport };
}

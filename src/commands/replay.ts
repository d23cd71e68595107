// `ovs-ipfix replay`: runs the exporter on capture files, to try it without a switch, to export captured flows, and to measure
// it.

import { isatty } from 'node:tty';
import { Command, InvalidArgumentError, type Option } from 'commander';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../config/export-flags.ts';
import {
  REPLAY_DEFAULTS,
  type ReplaySettings,
  readReplaySettings,
  replayExporterOptions,
} from '../config/replay-settings.ts';
import { FileFolder } from '../export/files/file-folder.ts';
import { ENGINE_FILE, flowEngines } from '../export/flow-engines.ts';
import { sessionOpener } from '../export/open-session.ts';
import { PathMtus } from '../export/path-mtu.ts';
import { RELIABLE_SESSION_DEFAULTS } from '../export/reliable-session.ts';
import { RECORD_FORMAT_DEFAULT } from '../ipfix/record-layout.ts';
import { FlowFilter } from '../report/flow-filter.ts';
import { UnknownWord } from '../report/unknown-word.ts';
import { systemClock, type Timer } from '../runtime/clock.ts';
import { compileLate } from '../runtime/late-compilation.ts';
import { Log } from '../runtime/log.ts';
import { readProgramFile } from '../runtime/program-folder.ts';
import { addCollectorTlsOptions, addFileTargetsOptions, flag, flagOf, sourceAddressFlag } from './options.ts';
import { PacketFilter } from './replay/packet-filter.ts';
import { Replay } from './replay/replay-run.ts';
import { progressLine, shortfalls, summaryJson, summaryText } from './replay/replay-summary.ts';

/** Milliseconds between two updates of the progress line. */
const PROGRESS_MS = 500;
const STDERR_FD = 2;

/** The `replay` command. */
export function replayCommand(): Command {
  return addFileTargetsOptions(addCollectorTlsOptions(new Command('replay')))
    .description('export the flows of captures, as fast as possible or at the recorded speed')
    .argument(
      '<file...>',
      'captures, or folders of them: pcap or pcapng, also compressed by gzip; several are read in the order ' +
        'of time; - is standard input',
    )
    .addOption(
      flagOf(
        'replay',
        '--to <[transport:]host:port>',
        'collector: HOST:PORT for UDP, tcp:HOST:PORT, tls:HOST:PORT or file:PATTERN; may be repeated',
      )
        .argParser((text: string, before: readonly string[] | undefined) => [
          ...(before ?? []),
          ...split(text),
        ])
        .makeOptionMandatory(),
    )
    .addOption(filterFlag())
    .addOption(
      flagOf('replay', '--speed <speed>', 'max: as fast as possible; recorded: as captured (default: max)'),
    )
    .addOption(
      flagOf(
        'replay',
        '--cache-active-timeout <seconds>',
        `active timeout of a flow, in capture time (default: ${REPLAY_DEFAULTS.cacheActiveTimeoutSeconds})`,
      ),
    )
    .addOption(
      flagOf(
        'replay',
        '--cache-max-flows <flows>',
        `largest number of flows in the cache (default: ${REPLAY_DEFAULTS.cacheMaxFlows})`,
      ),
    )
    .addOption(
      flag(
        '--message-bytes-max <bytes>',
        `largest IPFIX message over UDP (default: ${MESSAGE_BYTES_MAX_DEFAULT})`,
      ),
    )
    .addOption(
      flag(
        '--record-format <format>',
        `format of records: extended or original (default: ${RECORD_FORMAT_DEFAULT})`,
      ),
    )
    .addOption(sourceAddressFlag())
    .addOption(flagOf('replay', '--observation-domain-id <id>', 'of all messages (default: 0)'))
    .addOption(flagOf('replay', '--observation-point-id <id>', 'of all records (default: 0)'))
    .addOption(engineFlag())
    .addOption(flagOf('replay', '--format <format>', 'of the summary: text or json (default: text)'))
    .addHelpText(
      'after',
      `
Each packet counts once. The exit code is 0 only if every packet is in a record
and every record was handed to the network; what UDP loses after that cannot be
seen.`,
    )
    .action(async (paths: readonly string[], { filter, ...flags }: ReplayFlags) => {
      compileLate('replay');
      process.exitCode = await replay(paths, readReplaySettings(flags), filter);
    });
}

type ReplayFlags = Record<string, unknown> & { readonly filter?: FlowFilter };

function engineFlag(): Option {
  return flagOf(
    'replay',
    '--engine <engine>',
    'flow cache: wasm or typescript, which give the same records; auto: wasm where it can be had (default: auto)',
  );
}

function filterFlag(): Option {
  return flagOf(
    'replay',
    '--filter <words>',
    'only packets that match, by the words of "ovs-appctl flows": "src=10.0.0.0/8 port=53"',
  ).argParser(parseFilter);
}

/** Reads the words of a filter, separated by spaces. */
function parseFilter(text: string): FlowFilter {
  try {
    const filter = FlowFilter.parse(text.split(' ').filter((word) => word !== ''));
    const unknown = filter.unknownInterface([]);
    if (unknown !== undefined) {
      throw new UnknownWord(`"interface=${unknown}": a capture does not have the names of interfaces.`);
    }
    return filter;
  } catch (error) {
    if (!(error instanceof UnknownWord)) {
      throw error;
    }
    throw new InvalidArgumentError(error.message);
  }
}

/** In the environment variable, collectors are separated by commas. */
function split(text: string): string[] {
  const targets = text.split(',');
  if (targets.some((target) => target === '')) {
    throw new InvalidArgumentError('Write HOST:PORT.');
  }
  return targets;
}

async function replay(
  paths: readonly string[],
  settings: ReplaySettings,
  filter: FlowFilter | undefined,
): Promise<number> {
  const log = new Log({ clock: systemClock, level: 'warn' });
  const collectorLog = log.logger('collector');
  const pathMtus = new PathMtus(systemClock);
  const { fileTargets } = settings;
  // A daemon may be writing to the folder.
  const folder =
    fileTargets && new FileFolder(fileTargets, { clock: systemClock, log: collectorLog, recovers: false });
  const run = new Replay(
    {
      exporter: replayExporterOptions(settings),
      speed: settings.speed,
      observationDomainId: settings.observationDomainId,
      observationPointId: settings.observationPointId,
    },
    {
      paths,
      filter: filter && new PacketFilter(filter, settings),
      log: log.logger('replay'),
      makeEngine: flowEngines(settings.engine, () => readProgramFile(ENGINE_FILE), log.logger('replay')),
      openSession: sessionOpener(
        { clock: systemClock, log: collectorLog, pathMtus },
        RELIABLE_SESSION_DEFAULTS.queueBytesMax,
        folder,
      ),
    },
  );
  const begin = systemClock.monotonicMicros();
  const seconds = (): number => (systemClock.monotonicMicros() - begin) / 1_000_000;
  const summarise = (): boolean => {
    const status = run.status();
    process.stdout.write((settings.format === 'json' ? summaryJson : summaryText)(status, seconds()));
    return shortfalls(status).length === 0;
  };
  let isInterrupted = false;
  const interrupt = (): void => {
    if (isInterrupted) {
      // A collector that takes nothing would hold up the flush for ever.
      summarise();
      process.exit(1);
    }
    isInterrupted = true;
    run.interrupt();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const progress = isatty(STDERR_FD) ? new Progress(() => progressLine(run.status(), seconds())) : undefined;
  try {
    await run.run();
  } finally {
    progress?.end();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    log.close();
  }
  return summarise() ? 0 : 1;
}

/** A line of a terminal that each update overwrites. */
class Progress {
  readonly #line: () => string;
  #timer: Timer;

  constructor(line: () => string) {
    this.#line = line;
    this.#timer = systemClock.setTimer(() => this.#show(), PROGRESS_MS);
  }

  end(): void {
    this.#timer.cancel();
    process.stderr.write('\r\u001b[K');
  }

  #show(): void {
    process.stderr.write(`\r\u001b[K${this.#line()}`);
    this.#timer = systemClock.setTimer(() => this.#show(), PROGRESS_MS);
  }
}

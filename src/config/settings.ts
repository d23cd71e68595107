// The flags of the commands that talk to OVS, from text to validated, readonly values. The command line has already read
// the environment variables. Settings of a bridge or a collector live in OVSDB rows, not here.

import type { SourceAddresses } from '../export/collector-session.ts';
import type { FileFolderOptions } from '../export/files/file-folder.ts';
import { ENGINE_CHOICES, type EngineChoice } from '../export/flow-engines.ts';
import { RELIABLE_SESSION_DEFAULTS } from '../export/reliable-session.ts';
import type { RecordFormat } from '../ipfix/record-layout.ts';
import {
  type Endpoint,
  EndpointError,
  parseEndpoint,
  parseEndpoints,
  type TlsFiles,
} from '../runtime/endpoint.ts';
import { type ListenAddress, parseListenAddress } from '../runtime/listen-address.ts';
import {
  bridgeSocketPath,
  controlSocketPath,
  databaseDefault,
  pidFilePath,
  runPath,
} from '../runtime/rundir.ts';
import { originalName } from '../runtime/safe-text.ts';
import { parseVlogSpec } from '../runtime/vlog-spec.ts';
import type { CollectorTls } from './collector-tls.ts';
import { collectorTlsFiles, collectorTlsFlags } from './collector-tls-flags.ts';
import { messageBytes, recordFormat, sourceAddress } from './export-flags.ts';
import { fileTargetsFlags, fileTargetsOf } from './file-targets.ts';
import {
  anyText,
  choice,
  type FlagReader,
  type FlagValues,
  fault,
  filledText,
  isGiven,
  parse,
  SettingsError,
  wholeNumber,
  withDefault,
} from './flag-schema.ts';

/** How to reach Open vSwitch: settings of `run`, `release` and `doctor`. */
export interface OvsSettings {
  /** Connection methods of the database, tried in turn. */
  readonly database: readonly Endpoint[];
  /** The OpenFlow connection method of a bridge, by its name as `bridgeNameOf` returns it. */
  readonly openflow: (bridge: string) => Endpoint;
  readonly tls: TlsFiles | undefined;
  /** Specifications of `--verbose`, as for `vlog/set`; the last one of a module applies. */
  readonly logSpecs: readonly string[];
  readonly logFile: string | undefined;
  /** The register bit that marks a sampled packet; see docs/operation.md. */
  readonly mark: RegisterBit;
  /** The pid file of ovs-vswitchd. */
  readonly switchPidFile: string;
}

/** Settings of `run`. */
export interface RunSettings extends OvsSettings {
  readonly unixctlPath: string;
  /** The daemon's pid file, which the launcher has locked; undefined: none. */
  readonly pidFile: string | undefined;
  /** The live page; undefined: off. */
  readonly web: WebSettings | undefined;
  readonly adopt: 'all' | 'marked' | 'none';
  /** What to do with a bridge that has no OpenFlow meters. */
  readonly unmetered: 'refuse' | 'allow';
  /** Largest IPFIX message over UDP, in bytes of payload. */
  readonly messageBytesMax: number;
  /** The most messages a second to a collector over UDP. */
  readonly messageRateMax: number;
  /** Memory for messages that wait for a collector over TCP, in bytes, of each exporter and collector. */
  readonly queueBytesMax: number;
  /** The format of records of rows that do not choose one. */
  readonly recordFormat: RecordFormat;
  readonly engine: EngineChoice;
  /** The TLS files of collectors. */
  readonly collectorTls: CollectorTls;
  /** Where targets that are files are written; undefined: nowhere. */
  readonly fileTargets: FileFolderOptions | undefined;
  /** The source addresses of rows that set none; undefined: the system chooses. */
  readonly source: SourceAddresses | undefined;
}

/** Where the live page listens, and who has access. */
export interface WebSettings {
  readonly listen: ListenAddress;
  /** A file whose first line is the token that every client needs; undefined: no token. */
  readonly tokenFile: string | undefined;
}

/** One bit of a register, as in `reg11[31]`. */
export interface RegisterBit {
  /** 0 to 15. */
  readonly register: number;
  /** 0 to 31. */
  readonly bit: number;
}

/** Default of `--mark`: free in OVN's and Antrea's pipelines. */
export const MARK_DEFAULT = 'reg11[31]';
/** Default of `--message-rate-max`: a common collector with the kernel's default buffer receives as many without loss. */
export const MESSAGE_RATE_MAX_DEFAULT = 32_000;
/** Port of OVSDB in connection methods without one (IANA). */
const DATABASE_PORT_DEFAULT = 6640;
/** Port of OpenFlow in connection methods without one (IANA). */
const OPENFLOW_PORT_DEFAULT = 6653;

/** Reads the value of `--mark`. */
const registerBit: FlagReader<RegisterBit> = (input) => {
  const text = typeof input === 'string' ? input : MARK_DEFAULT;
  const groups = /^(?:NXM_NX_)?reg(?<register>\d{1,2})\[(?<bit>\d{1,2})\]$/iu.exec(text)?.groups;
  const register = Number(groups?.['register'] ?? Number.NaN);
  const bit = Number(groups?.['bit'] ?? Number.NaN);
  return register <= 15 && bit <= 31
    ? { value: { register, bit } }
    : fault(`"${text}" is not a valid register bit; write reg0[0] to reg15[31]`);
};

/** The value of `--message-rate-max`. */
const messageRate = withDefault(wholeNumber(100, 1_000_000), MESSAGE_RATE_MAX_DEFAULT);

/** The value of `--queue-bytes`. */
const queueBytesMax = withDefault(
  wholeNumber(131_072, 4_294_967_296),
  RELIABLE_SESSION_DEFAULTS.queueBytesMax,
);

/** The modules of the log; docs/status.md describes them. */
export const LOG_MODULES = [
  'ovs_ipfix',
  'control',
  'database',
  'bridge',
  'collector',
  'unixctl',
  'web',
  'release',
];

/** Reads log specifications: a list from the command line, one text with spaces from the environment. */
const logSpecs: FlagReader<readonly string[]> = withDefault((input) => {
  const value = typeof input === 'string' ? input.split(/\s+/u) : (input as readonly string[]);
  const faults = value.map(logSpecFault).filter((each) => each !== undefined);
  return faults.length === 0 ? { value } : { faults };
}, []);

/** Returns what is wrong with a log specification, as a clause; undefined for a valid one. */
function logSpecFault(text: string): string | undefined {
  const spec = parseVlogSpec(text);
  if (typeof spec === 'string') {
    return spec.replace(/\.$/u, '');
  }
  return spec.module === undefined || LOG_MODULES.includes(spec.module)
    ? undefined
    : `"${spec.module}" is neither a level nor a module; the modules are ${LOG_MODULES.join(', ')}`;
}

/** The flags of all commands that talk to OVS. */
export const ovsFlags = {
  db: filledText,
  openflow: filledText,
  privateKey: filledText,
  certificate: filledText,
  caCert: filledText,
  verbose: logSpecs,
  logFile: filledText,
  mark: registerBit,
};

/** The flag `--adopt`. */
export const adopt = withDefault(choice(['all', 'marked', 'none']), 'all');

const RUN_FLAGS = {
  ...ovsFlags,
  unixctl: filledText,
  pidfile: filledText,
  web: filledText,
  webTokenFile: filledText,
  webInsecure: isGiven,
  adopt,
  unmetered: withDefault(choice(['refuse', 'allow']), 'refuse'),
  messageBytesMax: messageBytes,
  messageRateMax: messageRate,
  queueBytes: queueBytesMax,
  ...collectorTlsFlags,
  tlsDir: filledText,
  ...fileTargetsFlags,
  recordFormat,
  engine: withDefault(choice(ENGINE_CHOICES), 'typescript'),
  sourceAddress,
};

const STATUS_FLAGS = {
  format: withDefault(choice(['table', 'json']), 'table'),
  unixctl: filledText,
};

const TOP_FLAGS = {
  window: withDefault(anyText, '5m'),
  by: withDefault(anyText, 'interface'),
  interval: withDefault(wholeNumber(1, 3600), 2),
  format: withDefault(choice(['table', 'json']), 'table'),
  unixctl: filledText,
};

/** Settings of `status`. */
export interface StatusSettings {
  readonly format: 'table' | 'json';
  /** Undefined: found in the run directory. */
  readonly unixctlPath: string | undefined;
}

/** Reads the flags of `status`; throws `SettingsError`. */
export function readStatusSettings(flags: Readonly<Record<string, unknown>>): StatusSettings {
  const { format, unixctl } = parse(STATUS_FLAGS, flags);
  return { format, unixctlPath: unixctl };
}

/** Settings of `top`. */
export interface TopSettings extends StatusSettings {
  /** Words of the command `top` of the daemon, which checks them. */
  readonly window: string;
  readonly by: string;
  /** Seconds between two screens. */
  readonly intervalSeconds: number;
}

/** Reads the flags of `top`; throws `SettingsError`. */
export function readTopSettings(flags: Readonly<Record<string, unknown>>): TopSettings {
  const { window, by, interval, format, unixctl } = parse(TOP_FLAGS, flags);
  return { window, by, intervalSeconds: interval, format, unixctlPath: unixctl };
}

/** Reads the flags of a command that needs Open vSwitch only; throws `SettingsError`. */
export function readOvsSettings(flags: Readonly<Record<string, unknown>>): OvsSettings {
  return ovsSettings(parse(ovsFlags, flags));
}

/** Reads the flags of `run`; throws `SettingsError`. */
export function readRunSettings(flags: Readonly<Record<string, unknown>>): RunSettings {
  const { unixctl, pidfile, web, webTokenFile, webInsecure, ...rest } = parse(RUN_FLAGS, flags);
  const { adopt, unmetered, messageBytesMax, messageRateMax, queueBytes, ...others } = rest;
  const { recordFormat, engine, sourceAddress, tlsDir, ...ovs } = others;
  return {
    ...ovsSettings(ovs),
    unixctlPath: unixctl ?? controlSocketPath('ovs-ipfix'),
    pidFile: pidfile === undefined ? undefined : runPath(pidfile),
    web: webSettings(web, webTokenFile, webInsecure),
    adopt,
    unmetered,
    messageBytesMax,
    messageRateMax,
    queueBytesMax: queueBytes,
    collectorTls: { files: collectorTlsFiles(ovs), folder: tlsDir },
    fileTargets: fileTargetsOf(ovs),
    recordFormat,
    engine,
    source: sourceAddress,
  };
}

/** Returns what the flags of `ovsFlags` say; throws `SettingsError`. */
export function ovsSettings(flags: FlagValues<typeof ovsFlags>): OvsSettings {
  return {
    database: endpoints('--db', flags.db ?? databaseDefault()),
    openflow: bridgeEndpoints(flags.openflow),
    tls: tlsFiles(flags.privateKey, flags.certificate, flags.caCert),
    logSpecs: flags.verbose,
    logFile: flags.logFile,
    mark: flags.mark,
    switchPidFile: pidFilePath('ovs-vswitchd'),
  };
}

function webSettings(
  web: string | undefined,
  tokenFile: string | undefined,
  isInsecure: boolean,
): WebSettings | undefined {
  if (web === undefined) {
    if (tokenFile === undefined && !isInsecure) {
      return undefined;
    }
    throw new SettingsError('--web-token-file and --web-insecure have no effect without --web.');
  }
  const listen = parseListenAddress(web);
  if (listen === undefined) {
    throw new SettingsError(
      `--web: "${web}" is not a valid address; write ADDRESS:PORT, [IPV6]:PORT or :PORT.`,
    );
  }
  if (tokenFile === undefined && !isInsecure && !isLoopback(listen.host)) {
    throw new SettingsError(
      `--web: ${web} can be reached from other hosts. Require a token with --web-token-file FILE, allow every client with ` +
        '--web-insecure, or listen on 127.0.0.1.',
    );
  }
  return { listen, tokenFile };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function endpoints(flag: string, text: string): readonly Endpoint[] {
  return named(flag, () => parseEndpoints(text, { defaultPort: DATABASE_PORT_DEFAULT }));
}

function bridgeEndpoints(template: string | undefined): (bridge: string) => Endpoint {
  if (template === undefined) {
    return (bridge) => ({ kind: 'unix', path: bridgeSocketPath(originalName(bridge)) });
  }
  if (!template.includes('%b')) {
    throw new SettingsError(
      `--openflow: "${template}" does not contain %b, the placeholder for the bridge name.`,
    );
  }
  const read = (bridge: string) =>
    named('--openflow', () =>
      parseEndpoint(
        template.replaceAll('%b', () => originalName(bridge)),
        { defaultPort: OPENFLOW_PORT_DEFAULT },
      ),
    );
  read('br0');
  return read;
}

function tlsFiles(
  privateKeyFile: string | undefined,
  certificateFile: string | undefined,
  caFile: string | undefined,
): TlsFiles | undefined {
  if (privateKeyFile !== undefined && certificateFile !== undefined && caFile !== undefined) {
    return { privateKeyFile, certificateFile, caFile };
  }
  if (privateKeyFile !== undefined || certificateFile !== undefined || caFile !== undefined) {
    throw new SettingsError(
      '--private-key, --certificate and --ca-cert are used together: give all three or none.',
    );
  }
  return undefined;
}

function named<Value>(flag: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof EndpointError) {
      throw new SettingsError(`${flag}: ${error.message}`);
    }
    throw error;
  }
}

// The flags of the commands that talk to OVS, from text to validated, readonly values. The command line has already read
// the environment variables. Settings of a bridge or a collector live in OVSDB rows, not here.

import * as z from 'zod/mini';
import type { SourceAddresses } from '../export/collector-session.ts';
import type { FileFolderOptions } from '../export/files/file-folder.ts';
import { MESSAGE_BYTES_MIN } from '../export/path-mtu.ts';
import { RELIABLE_SESSION_DEFAULTS } from '../export/reliable-session.ts';
import { RECORD_FORMAT_DEFAULT, RECORD_FORMATS, type RecordFormat } from '../ipfix/record-layout.ts';
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
import { fileTargetsFlags, fileTargetsOf } from './file-targets.ts';
import { choice, filledText, parse, SettingsError, wholeNumber } from './flag-schema.ts';
import { parseSourceAddresses } from './source-address.ts';

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
/** Default of `--message-bytes-max`: fits an Ethernet MTU of 1500 with IPv6, UDP and a tunnel header. */
export const MESSAGE_BYTES_MAX_DEFAULT = 1400;
/** Default of `--message-rate-max`: a common collector with the kernel's default buffer receives as many without loss. */
export const MESSAGE_RATE_MAX_DEFAULT = 32_000;
/** Port of OVSDB in connection methods without one (IANA). */
const DATABASE_PORT_DEFAULT = 6640;
/** Port of OpenFlow in connection methods without one (IANA). */
const OPENFLOW_PORT_DEFAULT = 6653;

const registerBit = z.pipe(
  z.string(),
  z.transform((text, context): RegisterBit => {
    const groups = /^(?:NXM_NX_)?reg(?<register>\d{1,2})\[(?<bit>\d{1,2})\]$/iu.exec(text)?.groups;
    const register = Number(groups?.['register'] ?? Number.NaN);
    const bit = Number(groups?.['bit'] ?? Number.NaN);
    if (!(register <= 15 && bit <= 31)) {
      const message = `"${text}" is not a valid register bit; write reg0[0] to reg15[31]`;
      context.issues.push({ code: 'custom', message, input: text });
      return z.NEVER;
    }
    return { register, bit };
  }),
);

/** The value of `--message-bytes-max`. */
export const messageBytes = z._default(wholeNumber(MESSAGE_BYTES_MIN, 65_535), MESSAGE_BYTES_MAX_DEFAULT);

/** The value of `--message-rate-max`. */
const messageRate = z._default(wholeNumber(100, 1_000_000), MESSAGE_RATE_MAX_DEFAULT);

/** The value of `--queue-bytes`. */
const queueBytesMax = z._default(
  wholeNumber(131_072, 4_294_967_296),
  RELIABLE_SESSION_DEFAULTS.queueBytesMax,
);

/** The value of `--record-format`. */
export const recordFormat = z._default(choice(RECORD_FORMATS), RECORD_FORMAT_DEFAULT);

/** The value of `--source-address`. */
export const sourceAddress = z.optional(
  z.pipe(
    z.string(),
    z.transform((text, context): SourceAddresses => {
      const result = parseSourceAddresses(text);
      if ('source' in result) {
        return result.source;
      }
      context.issues.push({ code: 'custom', message: result.fault, input: text });
      return z.NEVER;
    }),
  ),
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

/** Schema of log specifications: a list from the command line, one text with spaces from the environment. */
const logSpecs = z.pipe(
  z._default(z.union([z.string(), z.array(z.string())]), []),
  z.transform((specs, context): readonly string[] => {
    const list = typeof specs === 'string' ? specs.split(/\s+/u) : specs;
    for (const text of list) {
      const spec = parseVlogSpec(text);
      const fault =
        typeof spec === 'string'
          ? spec
          : spec.module === undefined || LOG_MODULES.includes(spec.module)
            ? undefined
            : `"${spec.module}" is neither a level nor a module; the modules are ${LOG_MODULES.join(', ')}`;
      if (fault !== undefined) {
        context.issues.push({ code: 'custom', message: fault.replace(/\.$/u, ''), input: specs });
      }
    }
    return list;
  }),
);

/** The flags of all commands that talk to OVS. */
export const ovsFlags = {
  db: filledText,
  openflow: filledText,
  privateKey: filledText,
  certificate: filledText,
  caCert: filledText,
  verbose: logSpecs,
  logFile: filledText,
  mark: z.prefault(registerBit, MARK_DEFAULT),
};

const ovsSchema = z.object(ovsFlags);

/** The flag `--adopt`. */
export const adopt = z._default(choice(['all', 'marked', 'none']), 'all');

const runSchema = z.object({
  ...ovsFlags,
  unixctl: filledText,
  pidfile: filledText,
  web: filledText,
  webTokenFile: filledText,
  webInsecure: z.optional(z.union([z.boolean(), z.string()])),
  adopt,
  unmetered: z._default(choice(['refuse', 'allow']), 'refuse'),
  messageBytesMax: messageBytes,
  messageRateMax: messageRate,
  queueBytes: queueBytesMax,
  ...collectorTlsFlags,
  tlsDir: filledText,
  ...fileTargetsFlags,
  recordFormat,
  sourceAddress,
});

const statusSchema = z.object({
  format: z._default(choice(['table', 'json']), 'table'),
  unixctl: filledText,
});

const topSchema = z.object({
  window: z._default(z.string(), '5m'),
  by: z._default(z.string(), 'interface'),
  interval: z._default(wholeNumber(1, 3600), 2),
  format: z._default(choice(['table', 'json']), 'table'),
  unixctl: filledText,
});

/** Settings of `status`. */
export interface StatusSettings {
  readonly format: 'table' | 'json';
  /** Undefined: found in the run directory. */
  readonly unixctlPath: string | undefined;
}

/** Reads the flags of `status`; throws `SettingsError`. */
export function readStatusSettings(flags: unknown): StatusSettings {
  const { format, unixctl } = parse(statusSchema, flags);
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
export function readTopSettings(flags: unknown): TopSettings {
  const { window, by, interval, format, unixctl } = parse(topSchema, flags);
  return { window, by, intervalSeconds: interval, format, unixctlPath: unixctl };
}

/** Reads the flags of a command that needs Open vSwitch only; throws `SettingsError`. */
export function readOvsSettings(flags: unknown): OvsSettings {
  return ovsSettings(parse(ovsSchema, flags));
}

/** Reads the flags of `run`; throws `SettingsError`. */
export function readRunSettings(flags: unknown): RunSettings {
  const { unixctl, pidfile, web, webTokenFile, webInsecure, ...rest } = parse(runSchema, flags);
  const { adopt, unmetered, messageBytesMax, messageRateMax, queueBytes, ...others } = rest;
  const { recordFormat, sourceAddress, tlsDir, ...ovs } = others;
  return {
    ...ovsSettings(ovs),
    unixctlPath: unixctl ?? controlSocketPath('ovs-ipfix'),
    pidFile: pidfile === undefined ? undefined : runPath(pidfile),
    web: webSettings(web, webTokenFile, isSet(webInsecure)),
    adopt,
    unmetered,
    messageBytesMax,
    messageRateMax,
    queueBytesMax: queueBytes,
    collectorTls: { files: collectorTlsFiles(ovs), folder: tlsDir },
    fileTargets: fileTargetsOf(ovs),
    recordFormat,
    source: sourceAddress,
  };
}

/** Whether a flag without a value is given, on the command line or as a variable. */
export function isSet(flag: boolean | string | undefined): boolean {
  return flag !== undefined && flag !== false;
}

/** Returns what the flags of `ovsFlags` say; throws `SettingsError`. */
export function ovsSettings(flags: z.output<typeof ovsSchema>): OvsSettings {
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

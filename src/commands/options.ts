// The flags that several commands share, each with its environment variable, so that they read the same in every help text.
// Values are checked by config/settings.ts, which commands without such flags do not load.

import { type Command, Option } from 'commander';

/** Returns a flag with its environment variable: `--log-file FILE` is also OVS_IPFIX_LOG_FILE. */
export function flag(flags: string, description: string): Option {
  return withVariable(new Option(flags, description), '');
}

/**
 * Returns a flag of one command only. Its variable contains the command's name, so that each variable has one meaning:
 * `demo --seconds` is OVS_IPFIX_DEMO_SECONDS.
 */
export function flagOf(
  command: 'collect' | 'demo' | 'doctor' | 'migrate' | 'replay' | 'status' | 'top',
  flags: string,
  description: string,
): Option {
  return withVariable(new Option(flags, description), `${command}-`);
}

function withVariable(option: Option, prefix: string): Option {
  return option.env(`OVS_IPFIX_${`${prefix}${option.name()}`.replaceAll('-', '_').toUpperCase()}`);
}

/** Adds the flags of a command that connects to the database. */
export function addDatabaseOptions(command: Command): Command {
  return command
    .argument('[database]', 'connection method of the OVS database (the same as --db)')
    .addOption(
      flag(
        '--db <method>',
        'OVS database: unix:FILE, tcp:HOST[:PORT] or ssl:HOST[:PORT], several by comma (default: unix:$OVS_RUNDIR/db.sock)',
      ),
    )
    .addOption(flag('-p, --private-key <file>', 'private key for ssl: methods (PEM)'))
    .addOption(flag('-c, --certificate <file>', 'certificate for ssl: methods (PEM)'))
    .addOption(flag('-C, --ca-cert <file>', 'CA certificate used to verify OVS (PEM)'));
}

/** Returns the flag with the OpenFlow endpoint of bridges. */
export function openflowFlag(): Option {
  return flag(
    '--openflow <method>',
    'OpenFlow endpoint of a bridge, with %b for its name (default: unix:$OVS_RUNDIR/%b.mgmt)',
  );
}

/** Returns the flag with the rows that the daemon takes over. */
export function adoptFlag(): Option {
  return flag(
    '--adopt <which>',
    'IPFIX rows to take over from ovs-vswitchd: all, marked or none (default: all)',
  );
}

/** Returns the flag with the source address of messages. */
export function sourceAddressFlag(): Option {
  return flag(
    '--source-address <address>',
    'address of this host that messages are sent from, or an IPv4 and an IPv6 address by comma (default: the system chooses)',
  );
}

/** Adds the flags with the TLS files of collectors. */
export function addCollectorTlsOptions(command: Command): Command {
  return command
    .addOption(flag('--collector-ca-cert <file>', 'CA certificate used to verify collectors over tls: (PEM)'))
    .addOption(flag('--collector-certificate <file>', 'certificate for collectors over tls: (PEM)'))
    .addOption(flag('--collector-private-key <file>', 'private key for collectors over tls: (PEM)'));
}

/** Returns the flag with the folder of TLS files that rows name. */
export function tlsDirFlag(): Option {
  return flag('--tls-dir <folder>', 'folder with a folder of TLS files for each name in ovs-ipfix-tls');
}

/** Adds the flags of targets that are files. */
export function addFileTargetsOptions(command: Command): Command {
  return command
    .addOption(
      flag('--file-targets <folder>', 'folder for targets file:PATTERN (default: none, they are off)'),
    )
    .addOption(flag('--file-bytes <bytes>', 'bytes after which the next file begins (default: 16777216)'))
    .addOption(
      flag('--file-targets-bytes <bytes>', 'bytes of all files in the folder (default: 1073741824)'),
    );
}

/**
 * Joins optional values to their flags. As in OVS's programs, an optional value is part of the same argument, as in `-vdbg` and
 * `--pidfile=FILE`; the next argument is not the value, as in `run -v unix:/run/db.sock`.
 */
export function withOptionalValues(argv: readonly string[]): string[] {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  return argv.map((word, index) => (index < end ? (WITHOUT_VALUE.get(word) ?? word) : word));
}

const WITHOUT_VALUE: ReadonlyMap<string, string> = new Map([
  ['-v', '--verbose=dbg'],
  ['--verbose', '--verbose=dbg'],
  ['--pidfile', '--pidfile=ovs-ipfix.pid'],
]);

/** What the variable of a flag without a value says. */
const SWITCH_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['0', false],
  ['no', false],
  ['off', false],
]);

/** Reads the variables of flags without a value: for commander, any value turns such a flag on. Another word ends the command. */
export function readSwitches(command: Command): void {
  for (const option of command.options) {
    const name = option.attributeName();
    if (!option.isBoolean() || option.envVar === undefined || command.getOptionValueSource(name) !== 'env') {
      continue;
    }
    const word = process.env[option.envVar] ?? '';
    const isOn = SWITCH_WORDS.get(word.toLowerCase());
    if (isOn === undefined) {
      command.error(
        `error: ${option.envVar}: "${word}" is not one of ${[...SWITCH_WORDS.keys()].join(', ')}; unset it to leave ${option.long} off.`,
      );
    }
    command.setOptionValueWithSource(name, isOn ? true : undefined, 'env');
  }
}

/** Moves the positional database, the last argument as in OVS's daemons, to the flags; two are an error. */
export function foldDatabase(
  database: string | undefined,
  flags: Readonly<Record<string, unknown>>,
  command: Command,
): Readonly<Record<string, unknown>> {
  if (database === undefined) {
    return flags;
  }
  if (command.getOptionValueSource('db') === 'cli') {
    command.error(`error: the database is given twice, as --db and as "${database}"; give it once.`);
  }
  return { ...flags, db: database };
}

// The numbers of the manual that a constant of the source decides, and the other numbers with a unit, each with its reason.
// test/docs.test.ts compares the first with the source, and refuses a number with a unit that is in neither table.

/** A sentence fragment with a number `{}`, and the constant that decides the number. */
export interface CheckedNumber {
  readonly page: string;
  readonly text: string;
  /** The file below `src`. */
  readonly source: string;
  /** A constant, or a member of a constant object (`OBJECT.member`). */
  readonly name: string;
  /** What the constant is divided by, such as 1,000 for milliseconds that the page has as seconds. Default 1. */
  readonly divisor?: number;
}

const checked = (page: string, text: string, source: string, name: string, divisor = 1): CheckedNumber => ({
  page,
  text,
  source,
  name,
  divisor,
});

const HOOK_TIMEOUT = ['control/hook.ts', 'HOOK_HARD_TIMEOUT_SECONDS'] as const;
const HAND_BACK = ['control/sampling-watch.ts', 'HAND_BACK_MS', 1000] as const;
const LEASE = ['control/leader-lease.ts', 'LEASE_MS', 1000] as const;
const RATE = ['config/bridge-keys.ts', 'MAX_SAMPLE_RATE_DEFAULT'] as const;
const DEADLINE = ['commands/run.ts', 'STOP_DEADLINE_MS', 1000] as const;
const TEMPLATES = ['config/ipfix-row.ts', 'TEMPLATE_INTERVAL_DEFAULT'] as const;
const SAMPLING = ['config/ipfix-row.ts', 'SAMPLING_DEFAULT'] as const;
const TIMEOUT_MAX = ['export/exporter-options.ts', 'CACHE_ACTIVE_TIMEOUT_MAX'] as const;
const MESSAGE_RATE = ['config/settings.ts', 'MESSAGE_RATE_MAX_DEFAULT'] as const;
const MESSAGE = ['config/export-flags.ts', 'MESSAGE_BYTES_MAX_DEFAULT'] as const;
const FOLDER = ['export/files/file-folder.ts'] as const;
const FIRST_RETRY = ['export/socket-session.ts', 'SESSION_DEFAULTS.retryMinMs'] as const;
const RELIABLE_RETRY = ['export/reliable-session.ts', 'RELIABLE_SESSION_DEFAULTS.retryMaxMs'] as const;
const TABLE_WIDTH = ['report/text-table.ts', 'TABLE_WIDTH'] as const;

export const CHECKED_NUMBERS: readonly CheckedNumber[] = [
  checked('../README.md', 'at most {} packets/s from the switch', ...RATE),

  checked('operation.md', 'what the switch sends: {} packets/s', ...RATE),
  checked('operation.md', 'the switch removes the hook within {} s', ...HOOK_TIMEOUT),
  checked('operation.md', 'then the switch removes the hook within {} s', ...HOOK_TIMEOUT),
  checked('operation.md', 'removed by the switch within {} s', ...HOOK_TIMEOUT),
  checked('operation.md', '`hard_timeout={}`', ...HOOK_TIMEOUT),
  checked('operation.md', 'refreshes it about every {} s', ...HOOK_TIMEOUT, 3),
  checked('operation.md', 'which stays for up to {} s', ...HOOK_TIMEOUT),
  checked('operation.md', 'not metered for {} s from the restart', ...HOOK_TIMEOUT),
  checked('operation.md', '`table=0,priority={}`', 'control/hook.ts', 'HOOK_PRIORITY'),
  checked('operation.md', 'with priority {} that overlaps', 'control/hook.ts', 'HOOK_PRIORITY'),
  checked('operation.md', '`controller(...,id={})`', 'control/hook.ts', 'CONTROLLER_ID'),
  checked('operation.md', '`max_len={}`', 'control/hook.ts', 'HOOK_MAX_LENGTH'),
  checked('operation.md', '`meter_id={}`', 'control/meter.ts', 'HOOK_METER_ID'),
  checked('operation.md', 'has the id {}, the meter', 'control/meter.ts', 'HOOK_METER_ID'),
  checked('operation.md', 'companion actions of a bridge {}.', 'control/meter.ts', 'SAMPLE_METER_ID'),
  checked('operation.md', 'passes {} packets/s unless', ...RATE),
  checked('operation.md', 'two meters: {} packets/s by default', ...RATE),
  checked('operation.md', 'and {} packets at once', 'control/meter.ts', 'METER_BURST_MIN'),
  checked('operation.md', 'burst of more than {} packets', 'control/meter.ts', 'METER_BURST_MIN'),
  checked('operation.md', 'Above a rate of {} packets/s', 'control/meter.ts', 'METER_BURST_MIN', 1 / 1000),
  checked('operation.md', 'goes on, up to {} s', 'control/sampled-bridge.ts', 'REMOVAL_MS_MAX', 1000),
  checked('operation.md', '| {} s for step 2 to begin', 'control/hand-back.ts', 'SOURCES_END_MS', 1000),
  checked('operation.md', 'exports | {} s | the rows', 'control/hand-back.ts', 'ROWS_END_MS', 1000),
  checked(
    'operation.md',
    'limited rate](collectors.md#rate) | {} s',
    'control/hand-back.ts',
    'FLUSH_END_MS',
    1000,
  ),
  checked('operation.md', 'the process ends | {} s', ...DEADLINE),
  checked('operation.md', 'At the end {} ms are added', 'control/gap-record.ts', 'SETTLE_MS'),
  checked('operation.md', 'after {} s the rows are', ...HAND_BACK),
  checked('operation.md', '`release` for {} s:', 'control/release.ts', 'RELEASE_BRIDGE_TIMEOUT_MS', 1000),
  checked('operation.md', ': {} s for `ovs-vswitchd` to come back', 'control/removal.ts', 'RESTART_MS', 1000),

  checked('takeover.md', 'for {} s. After SIGKILL', ...HAND_BACK),
  checked('takeover.md', 'not sampled for {} s', ...HAND_BACK),
  checked('takeover.md', 'or after {} s. What is in', 'control/row-writes.ts', 'FLUSH_WAIT_MS', 1000),
  checked('takeover.md', 'it waits {} s first', ...LEASE),
  checked('takeover.md', 'the switch {} s after the last request', ...LEASE),
  checked(
    'takeover.md',
    'the lock after {} s without a sign',
    'control/deputy-watch.ts',
    'TAKEOVER_MS',
    1000,
  ),
  checked('takeover.md', '(none for {} s)', 'control/leader-lease.ts', 'STANDBY_MEMORY_MS', 1000),

  checked('flow-rewriting.md', '{} between two barriers', 'control/flow-translator.ts', 'REWRITE_BATCH'),
  checked('flow-rewriting.md', 'follows {} flows', 'control/flow-translator.ts', 'SAMPLING_FLOWS_MAX'),

  checked('configuration.md', '| {} | N of 1-in-N', ...SAMPLING),
  checked('configuration.md', 'not applicable | {} |', ...SAMPLING),
  checked('configuration.md', '0 to {} | 0: no caching | the longest', ...TIMEOUT_MAX),
  checked('configuration.md', '| {} | how often templates are repeated', ...TEMPLATES),
  checked('configuration.md', '1 to {} | 600 | how often', 'config/ipfix-row.ts', 'INTERVAL_MAX'),
  checked('configuration.md', '1 to {} | 600 | reported', 'config/ipfix-row.ts', 'INTERVAL_MAX'),
  checked('configuration.md', 'honoured | {} s | 600 s', ...TEMPLATES),
  checked('configuration.md', 'honoured | 600 s | {} s', ...TEMPLATES),
  checked('configuration.md', 'The default port is {}.', 'config/target.ts', 'COLLECTOR_PORT_DEFAULT'),
  checked(
    'configuration.md',
    'every {} s while it',
    'export/udp-session.ts',
    'UDP_SESSION_DEFAULTS.resolveIntervalMs',
    1000,
  ),
  checked(
    'configuration.md',
    'each {} s. Its addresses',
    'export/udp-session.ts',
    'UDP_SESSION_DEFAULTS.resolvePauseMs',
    1000,
  ),
  checked(
    'configuration.md',
    'tried again after {} s',
    'export/socket-session.ts',
    'SESSION_DEFAULTS.retryMinMs',
    1000,
  ),
  checked('configuration.md', 'up to {} s', 'export/socket-session.ts', 'SESSION_DEFAULTS.retryMaxMs', 1000),
  checked('configuration.md', '1 to {}, unset', 'config/bridge-keys.ts', 'MAX_SAMPLE_RATE_LIMIT'),
  checked('configuration.md', 'unset {} |', ...RATE),
  checked('configuration.md', 'ignored | {} packets/s', ...RATE),

  checked(
    'sampling.md',
    'highest of the last {} readings',
    'intake/loss-compensation.ts',
    'PENDING_LOSS_OBSERVATIONS_MAX',
  ),
  checked(
    'sampling.md',
    'still pending after {} readings',
    'intake/loss-compensation.ts',
    'PENDING_LOSS_OBSERVATIONS_MAX',
  ),

  checked('sampling.md', 'absent at {} readings', 'intake/transit.ts', 'TRANSIT_READINGS_MAX'),

  checked('limits.md', 'may be {} at once and 12 a minute', 'runtime/keeper.ts', '.burst'),
  checked('limits.md', 'may be 12 at once and {} a minute', 'runtime/keeper.ts', '.perMinute'),

  checked('command-line.md', '| {} | largest IPFIX message', ...MESSAGE),
  checked('command-line.md', '| {} | most messages a second', ...MESSAGE_RATE),
  checked('command-line.md', 'port {} for the database', 'config/settings.ts', 'DATABASE_PORT_DEFAULT'),
  checked('command-line.md', '{} for OpenFlow', 'config/settings.ts', 'OPENFLOW_PORT_DEFAULT'),
  checked('command-line.md', 'within {} s. A database or', ...DEADLINE),
  checked('command-line.md', 'waits {} s for the database', 'control/release.ts', 'RELEASE_TIMEOUT_MS', 1000),
  checked(
    'command-line.md',
    'and {} s for each bridge',
    'control/release.ts',
    'RELEASE_BRIDGE_TIMEOUT_MS',
    1000,
  ),
  checked('command-line.md', 'within {} columns', ...TABLE_WIDTH),
  checked('command-line.md', 'in at most {} columns, again', ...TABLE_WIDTH),
  checked('command-line.md', '{} s to an hour', 'report/traffic/traffic-request.ts', 'WINDOW_SECONDS_MIN'),
  checked(
    'command-line.md',
    '| {} | 0 to 4,294,967,295 |',
    'config/replay-settings.ts',
    'REPLAY_DEFAULTS.cacheMaxFlows',
  ),
  checked('command-line.md', 'in time of capture, 0 to {} |', ...TIMEOUT_MAX),

  checked('records.md', '({} bytes of UDP payload)', ...MESSAGE),
  checked('records.md', '`template_interval` ({} s)', ...TEMPLATES),
  checked('records.md', 'if {} s are too long', ...TEMPLATES),
  checked('records.md', 'fit into a message of {} bytes', ...MESSAGE),
  checked('records.md', 'records at most each {} s', 'export/collector-stream.ts', 'OPTIONS_PAUSE_SECONDS'),
  checked('records.md', 'At most {} interfaces', 'export/options-records.ts', 'OPTIONS_INTERFACES_MAX'),
  checked('records.md', 'and to {} domains', 'export/stream-domains.ts', 'OPTIONS_DOMAINS_MAX'),
  checked('records.md', 'than {} GiB of flows', 'flow/flow-cache.ts', 'FLOW_BYTES_MAX', 1024 ** 3),
  checked('records.md', 'IP length than {} is', 'flow/entry-layout.ts', 'IP_TOTAL_LENGTH_MAX'),

  checked('collectors.md', 'of a row | {}, or more', ...MESSAGE),
  checked('collectors.md', 'with templates every {} s', 'export/collector-streams.ts', 'PROBE_SECONDS'),
  checked('collectors.md', '({} by default, 0', 'export/collector-choice.ts', 'FAILBACK_SECONDS_DEFAULT'),
  checked('collectors.md', '0 to {}), its records', 'config/ipfix-row.ts', 'FAILBACK_SECONDS_MAX'),
  checked('collectors.md', 'the {} s before', 'export/sent-window.ts', 'DOUBT_SECONDS'),
  checked(
    'configuration.md',
    '(`bad-value`): {} |',
    'export/collector-choice.ts',
    'FAILBACK_SECONDS_DEFAULT',
  ),
  checked('configuration.md', 'used again, 0 to {};', 'config/ipfix-row.ts', 'FAILBACK_SECONDS_MAX'),
  checked(
    'configuration.md',
    'each record; {} s |',
    'export/collector-choice.ts',
    'FAILBACK_SECONDS_DEFAULT',
  ),
  checked('status.md', 'sent within {} s before', 'export/sent-window.ts', 'DOUBT_SECONDS'),
  checked('collectors.md', 'and every {} s. If that', 'export/path-mtu.ts', 'MTU_POLL_MS', 1000),
  checked('collectors.md', 'packets of {} bytes', 'export/path-mtu.ts', 'NARROW_MTU_IPV4'),
  checked('collectors.md', 'over IPv4, of {} over IPv6', 'export/path-mtu.ts', 'NARROW_MTU_IPV6'),
  checked('collectors.md', 'minus {} bytes for', 'export/path-mtu.ts', 'HEADER_BYTES_IPV4'),
  checked('collectors.md', 'or {} of IPv6', 'export/path-mtu.ts', 'HEADER_BYTES_IPV6'),
  checked('configuration.md', 'bytes of payload, {} to', 'export/path-mtu.ts', 'MESSAGE_BYTES_MIN'),
  checked('collectors.md', '`--message-rate-max` | {}, or less', ...MESSAGE_RATE),
  checked('collectors.md', 'at most {} messages at once', 'export/send-budget.ts', 'BURST_MESSAGES'),
  checked(
    'collectors.md',
    '[{} MiB](limits.md',
    'export/reliable-session.ts',
    'RELIABLE_SESSION_DEFAULTS.queueBytesMax',
    1024 ** 2,
  ),
  checked(
    'collectors.md',
    'made again after {} s',
    'export/socket-session.ts',
    'SESSION_DEFAULTS.retryMinMs',
    1000,
  ),
  checked(
    'collectors.md',
    'up to {} s. At a stop',
    'export/reliable-session.ts',
    'RELIABLE_SESSION_DEFAULTS.retryMaxMs',
    1000,
  ),
  checked(
    'collectors.md',
    '{} MiB are counted apart',
    'export/unconfirmed-records.ts',
    'UNCONFIRMED_BYTES_MAX',
    1024 ** 2,
  ),
  checked('collectors.md', 'up to {} s. What', ...RELIABLE_RETRY, 1000),
  checked('collectors.md', 'tries after {} s', ...FIRST_RETRY, 1000),
  checked('collectors.md', 'not answer for {} s more', 'export/file-session.ts', 'CLOSE_MS_MAX', 1000),
  checked('collectors.md', '`--file-bytes`, {} MiB', ...FOLDER, 'FILE_BYTES_DEFAULT', 1024 ** 2),
  checked('collectors.md', '{} GiB by default', ...FOLDER, 'FOLDER_BYTES_DEFAULT', 1024 ** 3),
  checked('collectors.md', '[{} files](limits.md', ...FOLDER, 'FOLDER_FILES_MAX'),
  checked('command-line.md', '| {} | after so many', ...FOLDER, 'FILE_BYTES_DEFAULT'),
  checked('command-line.md', '| {} | of all files', ...FOLDER, 'FOLDER_BYTES_DEFAULT'),
  checked('collectors.md', 'ticket, or for {} ms', 'export/tls-connection.ts', 'TLS_ACCEPTANCE_MS'),
  checked(
    'collectors.md',
    'over which all is sent has {} s to end',
    'export/reliable-session.ts',
    'CONNECTION_CLOSE_MS_MAX',
    1000,
  ),
  checked('collectors.md', 'of up to {} records', 'export/cache-flush.ts', 'SLICE_RECORDS_MAX'),
  checked('collectors.md', '`extended` begin at {}.', 'ipfix/record-layout.ts', 'EXTENDED_ID_FIRST'),

  checked('status.md', 'averages a second over {} seconds', 'report/coverage.ts', 'PERIOD_SECONDS'),
  checked(
    'metrics.md',
    'At most {} interfaces of a daemon',
    'report/interface-metrics.ts',
    'INTERFACE_SERIES_MAX',
  ),
  checked('status.md', 'It shows {} flows', 'report/flow-request.ts', 'FLOWS_DEFAULT'),
  checked('status.md', 'at most {}. Each', 'report/top-flows.ts', 'TOP_FLOWS_MAX'),
  checked('status.md', '(for {} s; adopted', ...HAND_BACK),
  checked(
    'status.md',
    'within the last {} s of sending',
    'export/udp-session.ts',
    'UDP_SESSION_DEFAULTS.recoveryMs',
    1000,
  ),
  checked('status.md', 'usually {} at once', 'runtime/rate-limit.ts', 'RATE_LIMIT_DEFAULTS.burst'),
  checked('status.md', 'then {} a minute', 'runtime/rate-limit.ts', 'RATE_LIMIT_DEFAULTS.perMinute'),

  checked('conditions.md', 'could not be sampled for {} s', ...HAND_BACK),
  checked('conditions.md', 'a row has more than {} targets', 'config/row-targets.ts', 'TARGETS_MAX'),
  checked('conditions.md', 'exports to the first {}, which', 'config/row-targets.ts', 'TARGETS_MAX'),
  checked('conditions.md', 'more than {} bridges have', 'config/bridge-limits.ts', 'BRIDGES_MAX'),
  checked('conditions.md', 'have more than {} collector', 'config/bridge-limits.ts', 'COLLECTOR_SETS_MAX'),
  checked('conditions.md', 'rewritten for {} s', 'control/bridge-session.ts', 'TRANSLATION_SLOW_MS', 1000),
  checked('conditions.md', 'at the latest after {} s', 'control/reconciler.ts', '.retryMaxMs', 1000),
  checked('conditions.md', 'retried after {} to 5 s', 'control/reconciler.ts', '.retryMinMs', 1000),
  checked('conditions.md', 'retried after 0.1 to {} s', 'control/reconciler.ts', '.retryMaxMs', 1000),
  checked('conditions.md', 'a unix path has at most {} bytes', 'runtime/endpoint.ts', 'UNIX_PATH_BYTES_MAX'),
  checked('conditions.md', '`stopping took longer than {} ms`', 'commands/run.ts', 'STOP_DEADLINE_MS'),
  checked('conditions.md', 'else the switch removes the hook within {} s', ...HOOK_TIMEOUT),
  checked('conditions.md', 'after {} to 1 s (`unix:`)', 'runtime/keeper.ts', 'UNIX_BACKOFF_MIN_MS', 1000),
  checked('conditions.md', 'after 0.1 to {} s (`unix:`)', 'runtime/keeper.ts', 'UNIX_BACKOFF_MAX_MS', 1000),
  checked(
    'conditions.md',
    'or {} to 8 s (others)',
    'runtime/reconnect.ts',
    'RECONNECT_DEFAULTS.backoffMinMs',
    1000,
  ),
  checked(
    'conditions.md',
    'or 1 to {} s (others)',
    'runtime/reconnect.ts',
    'RECONNECT_DEFAULTS.backoffMaxMs',
    1000,
  ),
  checked('conditions.md', 'or not within {} s', 'runtime/endpoint.ts', 'DIAL_TIMEOUT_MS', 1000),
  checked(
    'conditions.md',
    'was silent for {} s',
    'runtime/reconnect.ts',
    'RECONNECT_DEFAULTS.probeIntervalMs',
    500,
  ),
  checked(
    'conditions.md',
    'handshake took longer than {} s',
    'runtime/reconnect.ts',
    'RECONNECT_DEFAULTS.connectTimeoutMs',
    1000,
  ),
  checked('doctor.md', 'at most {} columns', ...TABLE_WIDTH),
  checked('doctor.md', 'no answer in {} s', 'commands/doctor/database-facts.ts', 'DATABASE_MS_MAX', 1000),
  checked(
    'doctor.md',
    'nothing answers within {} s',
    'commands/doctor/daemon-checks.ts',
    'ANSWER_MS_MAX',
    1000,
  ),
  checked(
    'install.md',
    'notifies systemd every {} s',
    'commands/service-notifier.ts',
    'STATUS_INTERVAL_MS',
    1000,
  ),
  checked('replay.md', 'has {} messages to take', 'commands/replay/replay-run.ts', 'BACKLOG_MAX'),
  checked('replay.md', 'costs up to {} bytes', 'commands/replay/compression.ts', 'PIECE_BYTES'),
  checked('replay.md', 'Up to {} files', 'commands/replay/capture-input.ts', 'OPEN_CAPTURES_MAX'),
  checked(
    'status.md',
    'a time of {} s to an hour',
    'report/traffic/traffic-request.ts',
    'WINDOW_SECONDS_MIN',
  ),
  checked('status.md', 'It shows {} conversations', 'report/traffic/traffic-request.ts', 'TALKERS_DEFAULT'),
  checked(
    'status.md',
    'at most {}, with what is attached',
    'report/traffic/traffic-request.ts',
    'TALKERS_MAX',
  ),
  checked('status.md', 'by prefixes of {} or', 'report/traffic/dimensions.ts', 'IPV4_BITS'),
  checked('status.md', 'with IPv6, {} bits', 'report/traffic/dimensions.ts', 'IPV6_BITS'),
  checked('web.md', 'a finding is at most {} s old', 'web/examination.ts', 'EXAMINATION_PAUSE_MS', 1000),
  checked('web.md', 'at least {} characters', 'web/token.ts', 'TOKEN_CHARACTERS_MIN'),
];

/** A number with a unit that no constant decides. */
export interface AllowedNumber {
  readonly page: string;
  readonly text: string;
  readonly reason: string;
}

const MEASURED = 'measured once; docs/performance.md or the sentence says where';
const EXAMPLE = 'of an example on the page';
const OPEN_VSWITCH = 'a fact of Open vSwitch or of a protocol';

const allowed = (reason: string, page: string, ...texts: readonly string[]): readonly AllowedNumber[] =>
  texts.map((text) => ({ page, text, reason }));

export const ALLOWED_NUMBERS: readonly AllowedNumber[] = [
  ...allowed(EXAMPLE, 'command-line.md', 'such as `30s`, `5m`'),
  ...allowed(EXAMPLE, 'status.md', 'such as `30s`, `5m`'),
  ...allowed(MEASURED, 'limits.md', '[some 10 MB]'),
  ...allowed(
    MEASURED,
    'operation.md',
    '[59 MB]',
    'about 113 bytes (IPv4) or 141 bytes (IPv6)',
    'about 1% of a core',
    'rounds had 29 to 35 ms when',
    '92 to 179 ms when',
    'and 71 to 196 ms when',
  ),
  ...allowed(EXAMPLE, 'operation.md', 'a meter of 50,000 packets/s'),
  ...allowed(OPEN_VSWITCH, 'replay.md', 'the 14 bytes of Ethernet header', 'the end of the 32 bits of'),
  ...allowed(EXAMPLE, 'configuration.md', 'a timeout of 10 s', '(40 packets went'),
  ...allowed(
    OPEN_VSWITCH,
    'configuration.md',
    'honoured | 600 s | 600 s',
    'statistics of the exporter each 600 s',
  ),
  ...allowed(EXAMPLE, 'sampling.md', 'a meter of 200 packets/s', 'which 93% were dropped'),
  ...allowed(MEASURED, 'operation.md', 'garbage had 10.2 to 11.1 MB'),
  ...allowed(MEASURED, 'takeover.md', '2 to 12 ms after', 'replaced within 2.3 s', 'one within 0.2 s'),
  ...allowed(
    'test/sampling-table.test.ts computes it',
    'sampling.md',
    '1.7% of 10,000 packets at 1 in 4, 7.9% at 1 in 64, 20% at 1 in 400',
    'bursts of 10 ms, 0.3 s and 1 s',
    '14% of 200 MB at 1 in 64',
  ),
  ...allowed(MEASURED, 'flow-rewriting.md', 'was ready 1.1 s after'),
  ...allowed('derived; test/export encodes it', 'records.md', 'at most 31 bytes', 'interface takes 76 bytes'),
  ...allowed(
    'derived; test/ipfix encodes it',
    'records.md',
    'Template Set of 904 bytes',
    'one message of 1,728 bytes',
    'enterprise 6876, 18 bytes',
  ),
  ...allowed(
    OPEN_VSWITCH,
    'records.md',
    'the 40 bytes of an IPv6 header',
    '(IPv6: with its 40 bytes)',
    'the lower 32 bits',
    'upper 6 bits',
    'upper 3 bits',
    'all 8 bits',
  ),
  ...allowed(
    OPEN_VSWITCH,
    'flow-rewriting.md',
    'up to 50 messages of a connection',
    'longer than 100 messages',
    'some 30,000 flows of other',
  ),
  ...allowed(OPEN_VSWITCH, 'records.md', 'registers of 32 bits', 'up to 1 s in the future'),
  ...allowed(
    EXAMPLE,
    'collectors.md',
    '0 bytes, with the right packets',
    'after 6 records',
    '1,850 packets for 60',
  ),
  ...allowed(
    'derived: an eighth; test/export/send-budget.test.ts',
    'collectors.md',
    '(4,000 messages a second by',
  ),
  ...allowed('*Run by hand* on the page says how', 'collectors.md', '57 records of all fourteen'),
  ...allowed(
    'a limit or default of the collector',
    'collectors.md',
    'more than 1,500 bytes by default, nfacctd',
    'nfacctd more than 10,000',
    '| 30 minutes;',
    '`templateLifeTime`, 1,800 s',
    'Interfaces are 16 bits',
  ),
  ...allowed('the least and the most of the setting', 'command-line.md', '512 to 65,535 bytes'),
  ...allowed('13 to 26: the index is between half full and full', 'limits.md', '13 to 26 bytes a flow'),
];

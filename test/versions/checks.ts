// The Debian suites whose Open vSwitch `npm run test:versions` tests, and its checks, each a row of the table in
// docs/compatibility.md.

/** A Debian suite and the packages to unpack. */
export interface Suite {
  readonly name: string;
  readonly packages: readonly string[];
}

const OVS_PACKAGES = ['openvswitch-switch', 'openvswitch-common', 'openvswitch-testcontroller'];
/** Collectors that are not in bookworm, or in another version. */
const COLLECTOR_PACKAGES = ['nfdump', 'pmacct', 'libfixbuf-tools'];
const OVN_PACKAGES = ['ovn-common', 'ovn-central', 'ovn-host'];

/** Oldest first. */
export const SUITES: readonly Suite[] = [
  { name: 'bullseye', packages: OVS_PACKAGES },
  { name: 'bookworm', packages: OVS_PACKAGES },
  { name: 'trixie', packages: [...OVS_PACKAGES, ...OVN_PACKAGES, ...COLLECTOR_PACKAGES] },
  { name: 'sid', packages: [...OVS_PACKAGES, ...OVN_PACKAGES, ...COLLECTOR_PACKAGES, 'ipfixcol2'] },
];

/** One row of the table. */
export interface Check {
  readonly title: string;
  readonly files: readonly string[];
  /** The suites that have what the check needs, and why others lack it. Default: all. */
  readonly only?: { readonly suites: readonly string[]; readonly reason: string };
}

const integration = (...names: readonly string[]) => names.map((name) => `test/integration/${name}.test.ts`);

export const CHECKS: readonly Check[] = [
  {
    title: 'Programs under test, schema and restart of both servers',
    files: ['test/versions/under-test.ts', ...integration('ovs')],
  },
  {
    title: 'OVSDB client: monitors, transactions, locks, conversion',
    files: integration('ovsdb-client'),
  },
  {
    title: 'OpenFlow 1.0 to 1.5: messages, meters, groups, flow monitor',
    files: [
      ...integration('node-openflow'),
      'test/oracle/openflow-flows.test.ts',
      'test/oracle/openflow-messages.test.ts',
      'test/oracle/openflow-rewrite.test.ts',
      'test/oracle/packet-in-fields.test.ts',
      'test/oracle/scripted-switch.test.ts',
    ],
  },
  {
    title: 'Sampling of a bridge: hook, repair, death of the daemon',
    files: [
      ...integration(
        'main-path',
        'hook',
        'sampling',
        'ledger',
        'datapath-sampler',
        'sampler-changes',
        'own-rows',
        'statistics',
      ),
      'test/oracle/datapath-samples.test.ts',
    ],
  },
  {
    title: 'Protocols of a bridge as Antrea, OVN, Neutron and others set them',
    files: ['test/versions/protocols.ts'],
  },
  {
    title: '`sample` actions of flows',
    files: integration(
      'flow-sampling',
      'flow-monitor',
      'flow-robustness',
      'statistics-sets',
      'redirected-sets',
      'redirected-rows',
      'many-sets',
      'set-gaps',
    ),
  },
  {
    title: "Users' flows unchanged: random rich flows, odd bridges, restart with saved flows",
    files: integration('rich-flows', 'do-no-harm', 'flow-restore'),
  },
  {
    title: "Users' traffic through starts, stops and kills",
    files: integration('forwarding'),
  },
  {
    title: "Records against those of ovs-vswitchd's own exporter",
    files: integration('differential', 'differential-extended', 'records'),
  },
  {
    title: 'Rows, ownership, cache, flush, collectors',
    files: integration(
      'row-changes',
      'row-settings',
      'ownership',
      'target-transports',
      'file-targets',
      'collector-tls',
      'leadership',
      'tls',
      'cache',
      'flush',
      'collectors',
      'extended-records',
      'options-records',
      'tunnel-records',
      'interfaces',
      'names',
      'source-address',
      'several-collectors',
    ),
  },
  {
    title: 'Failures: restarts of both servers, conversion, bridges that change',
    files: integration('failures', 'descriptors', 'disk-full', 'stop'),
  },
  {
    title: 'Hosts in network namespaces: ping, iperf3, no packet lost',
    files: integration('namespaces'),
  },
  {
    title: 'Learning controller, fail_mode secure and standalone',
    files: ['test/versions/learning-controller.ts'],
  },
  {
    title: 'Schema migration',
    files: [
      ...integration('migrate', 'migrate-files', 'migrate-kills', 'migrate-manual', 'migrate-obstacles'),
      'test/oracle/cache-columns.test.ts',
      'test/oracle/schema-text.test.ts',
    ],
  },
  {
    title: 'Commands, doctor, demo, page, metrics',
    files: [
      ...integration(
        'appctl',
        'connections',
        'installed',
        'doctor',
        'doctor-alone',
        'doctor-before-start',
        'readiness',
        'demo',
        'metrics',
        'page',
        'page-traffic',
        'prometheus',
      ),
      'test/oracle/unixctl.test.ts',
    ],
  },
  {
    title: 'Collectors of the suite: ipfixcol2 over UDP and TCP',
    files: ['test/versions/ipfixcol2.ts'],
    only: { suites: ['sid'], reason: 'Debian has ipfixcol2 since sid' },
  },
  {
    title: 'OVN: ACL sampling, restart of ovn-controller, recompute',
    files: ['test/versions/ovn.ts'],
    only: {
      suites: ['trixie', 'sid'],
      reason: "OVN samples by rows of table Sample since 24.09; bookworm's is 23.03, and bullseye has none",
    },
  },
];

/** Tests of test/integration and test/oracle without Open vSwitch. */
export const FILES_WITHOUT_OVS: readonly string[] = [
  ...integration(
    'replay',
    'replay-captures',
    'output',
    'replay-ending',
    'flow-engines',
    'top',
    'path-mtu',
    'tls-engine',
  ),
  'test/oracle/collectors.test.ts',
  'test/oracle/frames.test.ts',
  'test/oracle/ipfix.test.ts',
];

/** Tests whose outputs are those of one version of Open vSwitch, which the manual shows: 3.1, on which every change is tested. */
export const FILES_OF_ONE_VERSION: readonly string[] = integration('transcripts', 'rounds');

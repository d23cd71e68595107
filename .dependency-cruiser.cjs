// The layers of docs/architecture.md as rules: a file imports only from its own folder or from a lower rank.
// test/layers.test.ts runs this configuration and checks that it has really seen the modules.
const RANKS = [
  ['runtime', 'capture', 'ipfix', 'node-openflow', 'ovsdb-client'],
  ['packet', 'schema'],
  ['flow'],
  ['intake', 'export'],
  ['config'],
  ['control'],
  ['report'],
  ['web', 'unixctl'],
  ['commands'],
];
const rankRules = RANKS.flatMap((folders, rank) =>
  folders.map((folder) => {
    const lower = RANKS.slice(0, rank).flat();
    const allowed = [...lower, folder].join('|');
    return {
      name: `rank-${rank}-${folder}`,
      comment: `src/${folder} imports only from itself and from lower ranks`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: rank === RANKS.length - 1 ? `^src/(${allowed})/|^src/daemon\\.ts$` : `^src/(${allowed})/` },
    };
  }),
);
const onlyIn = (name, module, folders) => ({
  name: `${name}-only-at-its-edge`,
  comment: `${module} is imported only below ${folders}`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/(${folders})` },
  to: { path: `node_modules/${module}/` },
});

const builtinOnlyIn = (builtin, places) => ({
  name: `node-${builtin}-only-at-its-edge`,
  comment: `node:${builtin} is imported only in ${places}`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/(${places})` },
  to: { dependencyTypes: ['core'], path: `^(node:)?${builtin}(/|$)` },
});

module.exports = {
  forbidden: [
    ...rankRules,
    {
      name: 'daemon-is-below-the-commands',
      comment: 'the composition root is used by the commands and knows nothing of them',
      severity: 'error',
      from: { path: '^src/daemon\\.ts$' },
      to: { path: '^src/(commands/|main\\.ts$)' },
    },
    {
      name: 'commands-are-loaded-when-called',
      comment: 'the program starts without its commands; import() loads the one that is called',
      severity: 'error',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^src/', pathNot: '^src/commands/(error-text|options|output-errors|version)\\.ts$', dynamic: false },
    },
    {
      name: 'a-command-is-loaded-at-once',
      comment: 'an upgrade replaces the files of the program while a daemon runs, so nothing is loaded later',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { dynamic: true },
    },
    {
      name: 'no-zod-where-nothing-is-validated',
      comment: 'zod takes a third of the time that Node takes to start; these evaluate none of it',
      severity: 'error',
      from: { path: '^src/commands/(options|version|collect|demo|migrate|replay)\\.ts$' },
      to: { path: 'node_modules/zod/', reachable: true },
    },
    // Streams are made in few places; everything else is handed a ready one. (Export asks node:net what is an address.)
    builtinOnlyIn('net', 'runtime/|unixctl/|export/|web/|commands/'),
    builtinOnlyIn('tls', 'runtime/|export/|commands/'),
    builtinOnlyIn('dgram', 'runtime/|export/|commands/'),
    builtinOnlyIn('dns', 'export/|commands/'),
    builtinOnlyIn('http', 'web/'),
    builtinOnlyIn('https', 'web/'),
    builtinOnlyIn('child_process', 'commands/'),
    builtinOnlyIn('fs', 'runtime/|unixctl/|web/|commands/|export/files/'),
    // Time comes from runtime/clock.ts.
    builtinOnlyIn('timers', 'runtime/clock\\.ts'),
    builtinOnlyIn('perf_hooks', 'runtime/clock\\.ts'),
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-dead-file',
      comment: 'every file is reached from the program',
      severity: 'error',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(web/page|engine)/|\\.d\\.ts$', reachable: false },
    },
    {
      name: 'no-dead-file-of-the-engine',
      comment: 'every file of the engine in WebAssembly is reached from its beginning',
      severity: 'error',
      from: { path: '^src/engine/main\\.ts$' },
      to: { path: '^src/engine/', reachable: false },
    },
    {
      name: 'engine-shares-numbers-only',
      comment: 'the engine in AssemblyScript shares with TypeScript what both can compile',
      severity: 'error',
      from: { path: '^src/engine/' },
      to: { path: '^src/', pathNot: '^src/engine/|^src/flow/(engine-memory|entry-layout)\\.ts$' },
    },
    {
      name: 'engine-is-not-imported',
      comment: 'the engine is a program of its own',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/engine/' },
      to: { path: '^src/engine/' },
    },
    {
      name: 'no-dead-file-of-the-page',
      comment: 'every file of the page is reached from its beginning',
      severity: 'error',
      from: { path: '^src/web/page/main\\.tsx$' },
      to: { path: '^src/web/page/', reachable: false },
    },
    {
      name: 'libraries-stand-alone',
      comment: 'the two libraries have no dependency but Node',
      severity: 'error',
      from: { path: '^src/(node-openflow|ovsdb-client)/' },
      to: { dependencyTypesNot: ['core', 'local'], pathNot: '^src/(node-openflow|ovsdb-client)/' },
    },
    {
      name: 'front-door',
      comment: 'the libraries are imported through their front door, and not from inside themselves',
      severity: 'error',
      from: { path: '^src/(node-openflow|ovsdb-client)/' },
      to: { path: '^src/(node-openflow|ovsdb-client)/index\\.ts$' },
    },
    {
      name: 'front-door-from-outside',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(node-openflow|ovsdb-client)/' },
      to: { path: '^src/(node-openflow|ovsdb-client)/', pathNot: '/index\\.ts$' },
    },
    onlyIn('zod', 'zod', 'config/'),
    onlyIn('commander', 'commander', 'commands/|main\\.ts'),
    onlyIn('sonic-boom', 'sonic-boom', 'runtime/'),
    onlyIn('prom-client', 'prom-client', 'report/'),
    onlyIn('ws', 'ws', 'web/'),
    onlyIn('sirv', 'sirv', 'web/'),
    onlyIn('preact', 'preact', 'web/page/'),
    onlyIn('uplot', 'uplot', 'web/page/'),
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'run-time-dependencies-are-declared',
      severity: 'error',
      // The page is bundled for browsers; nothing of it is installed.
      from: { path: '^src/', pathNot: '^src/web/page/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'], exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};

// `.ci/prepare` on a machine that lacks programs: what it says and installs. Its apt-get is a script of the test that notes how it
// is called and makes empty programs, and it finds no other programs than those that the script itself needs.

import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ProgramError, runForOutput, runProgram } from '../support/process.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', '.ci', 'prepare');
/** Programs of Debian's base system that the script uses. */
const BASE = ['bash', 'dirname', 'mkdir', 'flock', 'awk', 'wc', 'find', 'rm', 'ln', 'touch', 'chmod'];
/** What each package of the tests has, as in .ci/prepare. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  'openvswitch-switch': [
    'ovsdb-server',
    'ovs-vswitchd',
    'ovs-vsctl',
    'ovs-ofctl',
    'ovs-appctl',
    'ovsdb-client',
    'ovsdb-tool',
  ],
  nfdump: ['nfcapd', 'nfdump'],
  pmacct: ['nfacctd'],
  tshark: ['tshark'],
  'libfixbuf-tools': ['ipfixDump'],
  iperf3: ['iperf3'],
  iproute2: ['ip'],
  'iputils-ping': ['ping'],
  openssl: ['openssl'],
  'man-db': ['man'],
};
const LARGE: Readonly<Record<string, readonly string[]>> = {
  chromium: ['chromium'],
  prometheus: ['promtool', 'prometheus'],
};
const ALL = { ...PROGRAMS, ...LARGE };

/** A machine with npm, the modules and the built program, so that only Debian's packages are missing. */
interface Machine {
  /** Runs the script; returns its lines. */
  prepare(argument?: string, environment?: Readonly<Record<string, string>>): Promise<readonly string[]>;
  /** Calls of apt-get, the newest last. */
  calls(): Promise<readonly string[]>;
  add(packages: readonly string[]): Promise<void>;
}

async function machineOf(t: TestContext, uid: number): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'prepare-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const bin = join(folder, 'bin');
  const log = join(folder, 'calls');
  await Promise.all(
    ['bin', 'packages', 'work/.ci', 'work/dist', 'work/node_modules', 'work/src'].map((name) =>
      mkdir(join(folder, name), { recursive: true }),
    ),
  );
  for (const program of BASE) {
    const path = (await runProgram('sh', ['-c', `command -v ${program}`])).trim();
    await symlink(path, join(bin, program));
  }
  const script = async (name: string, lines: readonly string[]) => {
    await writeFile(join(bin, name), ['#!/bin/bash', ...lines, ''].join('\n'));
    await chmod(join(bin, name), 0o755);
  };
  for (const [name, programs] of Object.entries(ALL)) {
    await writeFile(join(folder, 'packages', name), `${programs.join('\n')}\n`);
  }
  await script('id', [`echo ${uid}`]);
  await script('node', ['exit 0']);
  await script('npm', ['exit 0']);
  await script(
    'apt-get',
    APT.map((line) => line.replaceAll('@FOLDER@', folder)),
  );
  await script('apt-cache', ['for NAME in "${@:3}"; do echo "Installed-Size: 2500"; done']);
  await script('dpkg-deb', [
    'NAME="${2##*/}"',
    'while read -r PROGRAM; do',
    // Where Debian's package has it.
    '  PLACE="$3/usr/bin"; [ "$PROGRAM" != ovs-vswitchd ] || PLACE="$3/usr/lib/openvswitch-switch"',
    '  mkdir -p "$PLACE"; touch "$PLACE/$PROGRAM"; chmod 755 "$PLACE/$PROGRAM"',
    `done <"${folder}/packages/\${NAME%.deb}"`,
  ]);
  await writeFile(log, '');
  // Folders of the machine, where other programs are, are not searched.
  const text = await readFile(SCRIPT, 'utf8');
  const path = 'export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"';
  assert.ok(text.includes(path));
  const work = join(folder, 'work');
  await writeFile(join(work, '.ci', 'prepare'), text.replace(path, ''));
  for (const name of ['package-lock.json', 'package.json', 'node_modules/.package-lock.json']) {
    await writeFile(join(work, name), '{}');
  }
  await writeFile(join(work, 'dist', 'ovs-ipfix.cjs'), '');
  return {
    prepare: async (argument, environment) => {
      const args = [join(work, '.ci', 'prepare'), ...(argument === undefined ? [] : [argument])];
      const { stdout } = await runForOutput('/bin/bash', args, {
        environment: { CI: '', ...environment, PATH: bin },
      });
      return stdout.trimEnd().split('\n');
    },
    calls: async () => (await readFile(log, 'utf8')).split('\n').filter((line) => line !== ''),
    add: async (packages) => {
      for (const program of packages.flatMap((name) => ALL[name] ?? [])) {
        await script(program, ['exit 0']);
      }
    },
  };
}

/** Each package needs one more, and is 1.5 MB to download. */
const APT = [
  'echo "$*" >>@FOLDER@/calls',
  'WORDS=() VERB=""',
  'for WORD in "$@"; do case "$WORD" in',
  '  install|update|download) VERB="$WORD" ;;',
  '  -o) ;;',
  '  -*|Dir::*|Debug::*) ;;',
  '  *) WORDS+=("$WORD") ;;',
  'esac; done',
  'case " $* " in',
  '  *" -s "*) for NAME in "${WORDS[@]}"; do echo "Inst $NAME (1 Debian)"; echo "Inst lib-of-$NAME (1 Debian)"; done ;;',
  '  *" --print-uris "*) for NAME in "${WORDS[@]}"; do',
  `    echo "'http://mirror/$NAME.deb' $NAME.deb 1500000 SHA256:0"; done ;;`,
  '  *" install "*) for NAME in "${WORDS[@]}"; do while read -r PROGRAM; do',
  '    touch "@FOLDER@/bin/$PROGRAM"; chmod 755 "@FOLDER@/bin/$PROGRAM"; done <"@FOLDER@/packages/$NAME"; done ;;',
  '  *" download "*) for NAME in "${WORDS[@]}"; do',
  '    touch "$NAME.deb"; [ -f "@FOLDER@/packages/$NAME" ] || touch "@FOLDER@/packages/$NAME"; done ;;',
  'esac',
];

/** The packages of the last call that installs or downloads. */
function wanted(calls: readonly string[]): readonly string[] {
  const call = calls.findLast((line) => /(?:^| )(?:install -y|download )/u.test(line)) ?? '';
  return Object.keys(ALL).filter((name) => call.split(' ').includes(name));
}

for (const [uid, how] of [
  [0, 'Installing openvswitch-switch'],
  [1000, 'You are not root, so openvswitch-switch'],
] as const) {
  test(`uid ${uid}: says what is missing and how large it is, then installs it without the large packages`, async (t) => {
    const machine = await machineOf(t, uid);
    const lines = await machine.prepare();
    const said = lines.join('\n');
    assert.ok(lines[0]?.startsWith(`prepare: ${how}`), said);
    for (const name of Object.keys(PROGRAMS)) {
      assert.ok(lines[0]?.includes(` ${name}`), `${name}: ${said}`);
    }
    // Ten packages and what they need: 20 of 2,500 KiB, and 10 of 1.5 MB to download.
    assert.equal(lines[1], 'prepare: That is 20 packages: 15 MB to download, 50 MB on the disk.');
    assert.deepEqual(wanted(await machine.calls()), Object.keys(PROGRAMS));
    assert.match(said, /Tests that need chromium are skipped; to run them: \.ci\/prepare browser/u);
    assert.match(said, /Tests that need prometheus are skipped; to run them: \.ci\/prepare prometheus/u);
    assert.equal(lines.at(-1), 'prepare: Everything is there.');
    const before = await machine.calls();
    const again = await machine.prepare();
    assert.deepEqual(await machine.calls(), before, 'apt-get is not called when everything is there');
    assert.ok(
      again.every((line) => !/install|root/iu.test(line)),
      again.join('\n'),
    );
  });

  test(`uid ${uid}: with CI=true, "all", "browser" or "prometheus" the large packages are installed`, async (t) => {
    for (const [argument, environment, packages] of [
      [undefined, { CI: 'true' }, Object.keys(ALL)],
      ['all', {}, Object.keys(ALL)],
      ['browser', {}, ['chromium']],
      ['prometheus', {}, ['prometheus']],
    ] as const) {
      const machine = await machineOf(t, uid);
      const lines = await machine.prepare(argument, environment);
      assert.deepEqual(wanted(await machine.calls()), packages);
      assert.ok(
        lines.every((line) => !line.includes('skipped')),
        lines.join('\n'),
      );
    }
  });
}

test('only what is missing is installed, and the npm packages need none of it', async (t) => {
  const machine = await machineOf(t, 0);
  await machine.prepare('modules');
  assert.deepEqual(await machine.calls(), []);
  await machine.add(Object.keys(PROGRAMS).filter((name) => name !== 'tshark'));
  const lines = await machine.prepare();
  assert.deepEqual(wanted(await machine.calls()), ['tshark']);
  assert.equal(lines[1], 'prepare: That is 2 packages: 1 MB to download, 5 MB on the disk.');
});

test('the demo needs Open vSwitch, as root also namespaces, and with nfdump nfdump', async (t) => {
  for (const [uid, argument, packages] of [
    [0, 'demo', ['openvswitch-switch', 'iproute2', 'iputils-ping']],
    [1000, 'demo', ['openvswitch-switch']],
    [1000, 'demo-nfdump', ['openvswitch-switch', 'nfdump']],
  ] as const) {
    const machine = await machineOf(t, uid);
    await machine.prepare(argument);
    assert.deepEqual([...wanted(await machine.calls())].sort(), [...packages].sort());
  }
});

test('an unknown argument is refused before anything is done', async (t) => {
  const machine = await machineOf(t, 0);
  await assert.rejects(machine.prepare('everything'), (error: unknown) => {
    assert.ok(error instanceof ProgramError);
    assert.match(error.stderr, /"test" \(default\), "all", .* not "everything"/u);
    return true;
  });
  assert.deepEqual(await machine.calls(), []);
});

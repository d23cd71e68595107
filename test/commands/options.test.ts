import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectCommand } from '../../src/commands/collect.ts';
import { demoCommand } from '../../src/commands/demo.ts';
import { doctorCommand } from '../../src/commands/doctor.ts';
import { migrateCommand } from '../../src/commands/migrate.ts';
import { readSwitches } from '../../src/commands/options.ts';
import { releaseCommand } from '../../src/commands/release.ts';
import { replayCommand } from '../../src/commands/replay.ts';
import { runCommand } from '../../src/commands/run.ts';
import { statusCommand } from '../../src/commands/status.ts';

test('gives each environment variable one meaning: flags that share one have the same help', () => {
  const meanings = new Map<string, string>();
  for (const command of [runCommand(), releaseCommand(), migrateCommand(), collectCommand(), demoCommand()]) {
    for (const { envVar, flags, description } of command.options) {
      assert.ok(envVar !== undefined, `${command.name()} ${flags}`);
      const meaning = `${flags}: ${description}`;
      assert.equal(meanings.get(envVar) ?? meaning, meaning, envVar);
      meanings.set(envVar, meaning);
    }
  }
  assert.equal(meanings.has('OVS_IPFIX_LOG_FILE'), true);
  assert.equal(meanings.has('OVS_IPFIX_COLLECT_SECONDS'), true);
  assert.equal(meanings.has('OVS_IPFIX_DEMO_SECONDS'), true);
});

test('the variable of a flag without a value turns it on or off, and another word ends the command', async (t) => {
  const variable = 'OVS_IPFIX_UNLESS_HELD';
  t.after(() => {
    delete process.env[variable];
  });
  /** Returns the value of the flag; a sentence if the variable is refused. */
  const read = async (word: string, ...flags: readonly string[]): Promise<unknown> => {
    process.env[variable] = word;
    let said = '';
    const command = releaseCommand()
      .exitOverride()
      .configureOutput({
        writeErr: (text) => {
          said += text;
        },
      })
      .hook('preAction', (_, action) => readSwitches(action))
      .action(() => undefined);
    try {
      await command.parseAsync(['node', 'release', ...flags]);
    } catch {
      return said;
    }
    return command.opts()['unlessHeld'];
  };
  for (const word of ['true', '1', 'yes', 'ON']) {
    assert.equal(await read(word), true, word);
  }
  for (const word of ['false', '0', 'No', 'off']) {
    assert.equal(await read(word), undefined, word);
    assert.equal(await read(word, '--unless-held'), true, word);
  }
  for (const word of ['', 'maybe']) {
    assert.match(
      String(await read(word)),
      /^error: OVS_IPFIX_UNLESS_HELD: "(?:maybe)?" is not one of true, 1, /u,
    );
  }
});

test('no line of a help text has more than 80 columns', () => {
  const commands = [runCommand(), releaseCommand(), migrateCommand(), collectCommand(), demoCommand()];
  for (const command of [...commands, doctorCommand(), replayCommand(), statusCommand()]) {
    let text = '';
    const write = (more: string): void => {
      text += more;
    };
    command.configureOutput({ writeOut: write, getOutHelpWidth: () => 80 }).outputHelp();
    assert.ok(text.includes('Usage:'), command.name());
    assert.deepEqual(
      text.split('\n').filter((line) => line.length > 80),
      [],
      command.name(),
    );
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectCommand } from '../../src/commands/collect.ts';
import { demoCommand } from '../../src/commands/demo.ts';
import { migrateCommand } from '../../src/commands/migrate.ts';
import { releaseCommand } from '../../src/commands/release.ts';
import { runCommand } from '../../src/commands/run.ts';

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

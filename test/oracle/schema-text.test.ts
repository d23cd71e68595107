// Migrates the schema file of the installed Open vSwitch, which has the columns of the cache.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { migrateSchemaText } from '../../src/schema/schema-text.ts';
import { installedSchemaPath } from '../support/ovs-schema.ts';
import { FLOWS_COLUMN, TIMEOUT_COLUMN } from '../support/schema-column.ts';
import { tier } from '../support/tiers.ts';

const migrate = (text: string): string => migrateSchemaText(text, 'the schema').text;

test(
  'does not change the installed schema, and restores it after the columns were removed',
  tier('ovs'),
  () => {
    const installed = readFileSync(installedSchemaPath(), 'utf8');
    assert.equal(migrate(installed), installed);
    const cut = installed.replace(TIMEOUT_COLUMN, '').replace(FLOWS_COLUMN, '');
    assert.equal(cut.length, installed.length - TIMEOUT_COLUMN.length - FLOWS_COLUMN.length);
    assert.equal(migrate(cut.replace(/"cksum": ".*"/, '"cksum": "1 2"')), installed);
  },
);

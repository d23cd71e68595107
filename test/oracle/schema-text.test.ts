// Migrates the schema file of the installed Open vSwitch, which has the columns of the cache.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { migrateSchemaText } from '../../src/schema/schema-text.ts';
import { installedSchemaPath } from '../support/ovs-schema.ts';
import { tier } from '../support/tiers.ts';

const column = (name: string, max: number): string =>
  [
    `       "${name}": {`,
    '         "type": {"key": {"type": "integer",',
    '                          "minInteger": 0,',
    `                          "maxInteger": ${max}},`,
    '                  "min": 0, "max": 1}},',
    '',
  ].join('\n');
const TIMEOUT = column('cache_active_timeout', 4200);
const FLOWS = column('cache_max_flows', 4_294_967_295);

const migrate = (text: string): string => migrateSchemaText(text, 'the schema').text;

test(
  'does not change the installed schema, and restores it after the columns were removed',
  tier('ovs'),
  () => {
    const installed = readFileSync(installedSchemaPath(), 'utf8');
    assert.equal(migrate(installed), installed);
    const cut = installed.replace(TIMEOUT, '').replace(FLOWS, '');
    assert.equal(cut.length, installed.length - TIMEOUT.length - FLOWS.length);
    assert.equal(migrate(cut.replace(/"cksum": ".*"/, '"cksum": "1 2"')), installed);
  },
);

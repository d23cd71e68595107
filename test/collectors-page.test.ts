// The page of the manual about collectors: a section for each, with what a reader looks for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './support/manual.ts';

/** The sections of the page about collectors, in order. */
const COLLECTORS = [
  'nfdump',
  'pmacct',
  'goflow2',
  'akvorado',
  'ntopng',
  'Elastic',
  'Logstash',
  'Telegraf',
  'SiLK',
  'Splunk',
  'ipfixcol2',
];

test('collectors.md says of each collector whether it was run, its receive buffer, what it shows and what it cannot', () => {
  const sections = page('collectors.md').split(/^## /mu).slice(1);
  const ofCollectors = sections.filter((text) => /^\| receive buffer \|/mu.test(text));
  assert.deepEqual(
    ofCollectors.map((text) => text.split('\n', 1)[0]),
    COLLECTORS,
  );
  for (const text of ofCollectors) {
    assert.match(text, /^(?:Run in tests|Run by hand|Source|Documentation)\b/mu);
    assert.match(text, /^\| shows \| [^|]+ \|$/mu);
    assert.match(text, /^\| cannot \| [^|]+ \|$/mu);
  }
});

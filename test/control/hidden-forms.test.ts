import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hiddenForm } from '../../src/control/hidden-forms.ts';
import { type Action, type MatchField, matchField } from '../../src/node-openflow/index.ts';

const udp: readonly MatchField[] = [matchField('eth_type', 0x0800), matchField('ip_proto', 17)];
const output: Action = { type: 'output', port: 2, maxLength: 0 };
const push: Action = { type: 'push_vlan', value: 0x8100 };
const setVid: Action = { type: 'set_field', field: matchField('vlan_vid', 0x1005) };
const setQueue: Action = { type: 'set_queue', value: 1 };
const popQueue: Action = { type: 'pop_queue' };

const formOf = (match: readonly MatchField[], ...actions: readonly Action[]) =>
  hiddenForm(match, [{ type: 'apply_actions', actions }]);

test('recognises the form of enqueue at any depth, but not its parts', () => {
  assert.match(formOf(udp, setQueue, output, popQueue) ?? '', /enqueue/u);
  assert.match(formOf(udp, { type: 'clone', actions: [setQueue, output, popQueue] }) ?? '', /enqueue/u);
  assert.equal(formOf(udp, setQueue, output), undefined);
  assert.equal(formOf(udp, setQueue, popQueue, output), undefined);
});

test('recognises a push as mod_vlan_vid unless the match includes whether packets have a tag', () => {
  assert.match(formOf(udp, push, setVid, output) ?? '', /mod_vlan_vid/u);
  assert.match(formOf(udp, push, output) ?? '', /mod_vlan_vid/u);
  assert.equal(formOf(udp, setVid, output), undefined);
  const presence = 0x1000;
  assert.equal(formOf([...udp, matchField('vlan_vid', 0)], push, output), undefined);
  assert.equal(formOf([...udp, matchField('vlan_vid', presence, presence)], push, output), undefined);
  // A mask without the bit of the tag's presence.
  assert.match(formOf([...udp, matchField('vlan_vid', 5, 0x0fff)], push, output) ?? '', /mod_vlan_vid/u);
});

test('finds no hidden form in other flows', () => {
  assert.equal(formOf(udp, output), undefined);
  assert.equal(hiddenForm(udp, [{ type: 'write_actions', actions: [push, output] }]), undefined);
});

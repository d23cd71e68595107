// Which flows the translator rewrites, when, and what it does with those that are refused.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REWRITE_BATCH } from '../../src/control/flow-translator.ts';
import { type Instruction, OpenFlowEncodeError } from '../../src/node-openflow/index.ts';
import {
  apply,
  companion,
  numberOf,
  OUTPUT,
  refusal,
  runWith,
  sample,
  scripted,
  update,
  watching,
} from './translator-script.ts';

describe('events of the flow monitor', () => {
  test('rewrites each flow with a sample action once, at first, when added and when modified, and no other flow', async () => {
    const { translator, run, sent } = scripted();
    assert.equal(translator.observe(update('initial', 1, apply(sample(1), OUTPUT))), true);
    assert.equal(translator.observe(update('initial', 2, apply(OUTPUT))), true);
    translator.observe(update('added', 3, apply(OUTPUT, sample(2), sample(1))));
    await run();
    assert.deepEqual(sent(), [
      [1, apply(sample(1), companion(sample(1)), OUTPUT)],
      [3, apply(OUTPUT, sample(2), sample(1), companion(sample(1)))],
    ]);
    assert.equal(translator.observe(update('modified', 1, apply(sample(1, 4)))), true);
    assert.equal(translator.observe(update('modified', 3, apply(OUTPUT))), true);
    assert.equal(translator.observe(update('removed', 3)), true);
    await run();
    assert.deepEqual(sent().slice(2), [[1, apply(sample(1, 4), companion(sample(1, 4)))]]);
    await run();
    assert.equal(translator.status().rewrites, 3);
    assert.deepEqual([...translator.status().flowsBySet], [[1, 1]]);
  });

  test('does not rewrite a flow that was removed meanwhile', async () => {
    const { translator, run, batches } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    assert.equal(translator.observe(update('removed', 1)), false);
    await run();
    assert.equal(batches.length, 0);
  });

  test('ignores the report of its own modification', () => {
    assert.equal(scripted().translator.observe({ event: 'abbrev', xid: 5 }), false);
  });

  test('sends batches of limited size', async () => {
    const { translator, run, batches } = scripted();
    for (let flow = 0; flow < 2 * REWRITE_BATCH + 1; flow += 1) {
      translator.observe(update('initial', flow, apply(sample(1))));
    }
    await run();
    assert.deepEqual(
      batches.map((batch) => batch.length),
      [REWRITE_BATCH, REWRITE_BATCH, 1],
    );
  });

  test('rewrites nothing while the monitor is paused, as its flows may be outdated', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1, 1))));
    assert.equal(translator.observe({ event: 'paused' }), false);
    const running = run();
    assert.equal(translator.observe(update('modified', 1, apply(sample(1, 2)))), false);
    await Promise.resolve();
    assert.deepEqual(sent(), []);
    assert.equal(translator.observe({ event: 'resumed' }), true);
    await running;
    assert.deepEqual(sent(), [[1, apply(sample(1, 2), companion(sample(1, 2)))]]);
  });

  test('delays the next batch when a pause begins during one, until the pause or the connection ends', async () => {
    const { translator, run, script, batches } = scripted();
    for (let flow = 0; flow <= REWRITE_BATCH; flow += 1) {
      translator.observe(update('initial', flow, apply(sample(1))));
    }
    script.during = () => translator.observe({ event: 'paused' });
    const running = run();
    await new Promise(setImmediate);
    assert.equal(batches.length, 1);
    translator.forget();
    await running;
    assert.equal(batches.length, 1);
  });
});

describe("a user's change during a rewriting", () => {
  const changes: readonly (readonly [string, readonly Instruction[], readonly Instruction[]])[] = [
    ['another sample', apply(sample(1, 2), OUTPUT), apply(sample(1, 2), companion(sample(1, 2)), OUTPUT)],
    ['no sample any more', apply(OUTPUT), apply(OUTPUT)],
    ['a sample action of an unmanaged set', apply(sample(9)), apply(sample(9))],
  ];
  for (const [what, changed, final] of changes) {
    test(`is kept after one more rewriting: ${what}`, async () => {
      const { translator, run, script, sent } = scripted();
      translator.observe(update('added', 1, apply(sample(1))));
      script.during = () => translator.observe(update('modified', 1, changed));
      await run();
      assert.equal(sent().length, 2);
      assert.deepEqual(sent().at(-1), [1, final]);
      await run();
      assert.equal(sent().length, 2);
    });
  }

  test('is kept when the end of a pause reports it together with the own modification', async () => {
    const { translator, run, script, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    script.during = () => {
      translator.observe(update('modified', 1, apply(OUTPUT)));
      translator.observe({ event: 'paused' });
    };
    const running = run();
    await new Promise(setImmediate);
    translator.observe(update('modified', 1, apply(sample(1), companion(sample(1)))));
    translator.observe({ event: 'resumed' });
    await running;
    assert.deepEqual(sent().slice(1), [[1, apply(OUTPUT)]]);
  });

  test('sends nothing for a deleted flow, and rewrites a flow that was added instead', async () => {
    const { translator, run, script, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    script.during = () => translator.observe(update('removed', 1));
    await run();
    assert.equal(sent().length, 1);
    translator.observe(update('added', 1, apply(sample(1))));
    script.during = () => {
      translator.observe(update('removed', 1));
      translator.observe(update('added', 1, apply(OUTPUT)));
    };
    await run();
    assert.deepEqual(sent().slice(1), [
      [1, apply(sample(1), companion(sample(1)))],
      [1, apply(OUTPUT)],
    ]);
    assert.equal(translator.status().flowsBySet.size, 0);
  });

  test('is read again after the connection was lost', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    await assert.rejects(
      runWith(translator, async () => {
        translator.forget();
        throw new Error('the connection is over');
      }),
      /over/u,
    );
    await run();
    assert.deepEqual(sent(), []);
  });
});

describe('refused flows', () => {
  test('reports a refused flow as a condition, does not count it as followed, and retries when it changes', async () => {
    const { translator, run, script, sent } = scripted();
    script.refuses = 1;
    translator.observe(update('added', 1, apply(sample(1))));
    translator.observe(update('added', 2, apply(sample(1))));
    await run();
    const [condition] = translator.conditions();
    assert.equal(condition?.code, 'translation-refused');
    assert.match(condition.where, /^Bridge br0, flow table=3,priority=101/u);
    assert.match(condition.message, /OFPFMFC_BAD_COMMAND/u);
    assert.deepEqual([...translator.status().flowsBySet], [[1, 1]]);
    assert.equal(translator.status().refused, 1);
    await run();
    assert.equal(sent().length, 2);
    delete script.refuses;
    translator.observe(update('modified', 1, apply(sample(1, 3))));
    await run();
    assert.equal(sent().length, 3);
    assert.deepEqual(translator.conditions(), []);
    assert.deepEqual([...translator.status().flowsBySet], [[1, 2]]);
  });

  test('ends the condition with the refused flow, or with its set', async () => {
    const { translator, run, script } = scripted();
    script.refuses = 1;
    translator.observe(update('added', 1, apply(sample(1))));
    await run();
    translator.observe(update('removed', 1));
    assert.deepEqual(translator.conditions(), []);
    translator.observe(update('added', 1, apply(sample(1))));
    await run();
    assert.equal(translator.conditions().length, 1);
    translator.setOptions(watching());
    assert.deepEqual(translator.conditions(), []);
  });

  test('names some of very many refused flows, and counts all', async () => {
    const { translator } = scripted();
    for (let flow = 0; flow < 500; flow += 1) {
      translator.observe(update('added', flow, apply(sample(1))));
    }
    await runWith(translator, async (messages) => messages.map((_, index) => refusal(index)));
    assert.equal(translator.conditions().length, 20);
    assert.equal(translator.status().refused, 500);
  });

  test('sends a batch again whose connection was lost', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    await assert.rejects(
      runWith(translator, () => Promise.reject(new Error('too much waits'))),
      /too much/u,
    );
    await run();
    assert.equal(sent().length, 1);
  });

  test('rewrites the other flows when one does not fit into a message', async () => {
    const { translator, transact, sent } = scripted();
    for (let flow = 0; flow < 50; flow += 1) {
      translator.observe(update('added', flow, apply(sample(1))));
    }
    await runWith(translator, (messages) => {
      if (messages.some((message) => numberOf(message) === 17)) {
        throw new OpenFlowEncodeError('flow_mod', 5, 'takes 70000 bytes');
      }
      return transact(messages);
    });
    assert.equal(sent().length, 49);
    assert.match(translator.conditions()[0]?.message ?? '', /70000 bytes/u);
    assert.equal(translator.status().refused, 1);
  });

  test('warns once that rewriting restarts hard timeouts', async () => {
    const { translator, run } = scripted();
    translator.observe(update('added', 1, apply(sample(1), companion(sample(1))), 60));
    assert.deepEqual(translator.conditions(), []);
    translator.observe(update('added', 2, apply(sample(1)), 60));
    translator.observe(update('added', 3, apply(sample(1)), 60));
    await run();
    const codes = translator.conditions().map(({ code, severity }) => [code, severity]);
    assert.deepEqual(codes, [['hard-timeout-restarts', 'warning']]);
  });
});

describe('managed sets', () => {
  test('rewrites flows for the sets that are managed now, and restores them without any', async () => {
    const { translator, run, sent } = scripted();
    const changed = apply(sample(1), sample(2));
    translator.observe(update('added', 1, changed));
    await run();
    translator.setOptions(watching(1, 2));
    await run();
    translator.setOptions(watching(2));
    await run();
    translator.setOptions(watching());
    await run();
    assert.deepEqual(
      sent().map(([, instructions]) => instructions),
      [
        apply(sample(1), companion(sample(1)), sample(2)),
        apply(sample(1), companion(sample(1)), sample(2), companion(sample(2))),
        apply(sample(1), sample(2), companion(sample(2))),
        changed,
      ],
    );
  });

  test('sends nothing for the same options', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    await run();
    translator.setOptions(watching(1));
    await run();
    assert.equal(sent().length, 1);
  });

  test('rewrites flows again for another meter', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    await run();
    translator.setOptions({ collectorSets: new Set([1]), meterId: 5 });
    await run();
    assert.equal(sent().length, 2);
  });
});

describe('the limit of flows', () => {
  test('does not follow flows beyond it, counts them, and still sees changes of followed ones', async () => {
    const { translator, run, sent } = scripted(2);
    for (const flow of [1, 2, 3, 4]) {
      translator.observe(update('initial', flow, apply(sample(1))));
    }
    translator.observe(update('modified', 1, apply(sample(1, 5))));
    await run();
    assert.deepEqual(
      sent().map(([flow]) => flow),
      [1, 2],
    );
    assert.equal(translator.status().ignored, 2);
    translator.observe(update('removed', 1));
    translator.observe(update('modified', 3, apply(sample(1))));
    await run();
    assert.equal(sent().at(-1)?.[0], 3);
    translator.forget();
    assert.equal(translator.status().ignored, 0);
  });

  test('removes companion actions from flows beyond it', async () => {
    const { translator, run, sent } = scripted(1);
    translator.setOptions(watching());
    translator.observe(update('initial', 1, apply(sample(1))));
    translator.observe(
      update('initial', 2, apply({ type: 'clone', actions: [sample(1), companion(sample(1))] })),
    );
    await run();
    assert.deepEqual(sent(), [[2, apply({ type: 'clone', actions: [sample(1)] })]]);
  });
});

describe('without a flow monitor', () => {
  test('finds added, changed and removed flows at each poll, and does not retry an unchanged refused flow', async () => {
    const { translator, run, script, sent } = scripted();
    script.refuses = 2;
    const flows = [1, 2, 3].map((flow) => update('initial', flow, apply(sample(1))));
    translator.observeAll(flows);
    await run();
    assert.deepEqual([...translator.status().flowsBySet], [[1, 2]]);
    const translated = update('initial', 1, apply(sample(1), companion(sample(1))));
    translator.observeAll([translated, update('initial', 2, apply(sample(1)))]);
    await run();
    assert.equal(sent().length, 3);
    assert.deepEqual([...translator.status().flowsBySet], [[1, 1]]);
    assert.equal(translator.conditions().length, 1);
    translator.observeAll([update('initial', 1, apply(sample(1, 8)))]);
    await run();
    assert.deepEqual(sent().at(-1), [1, apply(sample(1, 8), companion(sample(1, 8)))]);
    assert.deepEqual(translator.conditions(), []);
  });
});

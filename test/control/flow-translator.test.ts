import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { sendRewritings, type Transact } from '../../src/control/flow-rewriting.ts';
import { FlowTranslator, REWRITE_BATCH } from '../../src/control/flow-translator.ts';
import { translateInstructions } from '../../src/control/translation.ts';
import { sampleUserdata } from '../../src/intake/userdata.ts';
import {
  type Action,
  type FlowMonitorEvent,
  type FlowUpdate,
  type Instruction,
  matchField,
  matchKey,
  OpenFlowEncodeError,
  type OpenFlowMessage,
  OpenFlowRequestError,
  type SampleAction,
} from '../../src/node-openflow/index.ts';

const METER = 65_001;
const OUTPUT: Action = { type: 'output', port: 1, maxLength: 0 };
const watching = (...sets: readonly number[]) => ({ collectorSets: new Set(sets), meterId: METER });

function sample(collectorSetId: number, observationPointId = 0): SampleAction {
  const ids = { observationDomainId: 7, observationPointId };
  return {
    type: 'sample',
    probability: 655,
    collectorSetId,
    ...ids,
    samplingPort: 0xffff_ffff,
    direction: 0,
  };
}

const ours = (sampling: SampleAction): Action => ({
  type: 'controller2',
  maxLength: 192,
  controllerId: 18_768,
  userdata: sampleUserdata(sampling),
  meterId: METER,
});

const apply = (...actions: readonly Action[]): readonly Instruction[] => [{ type: 'apply_actions', actions }];

/** Rewrites what is pending, as where a flow monitor shows flows whole. */
function runWith(translator: FlowTranslator, transact: Transact): Promise<boolean> {
  return translator.run((batch) => sendRewritings(batch, transact));
}

/** What the monitor tells of the flow of that number. */
function update(
  event: FlowUpdate['event'],
  flow: number,
  instructions: readonly Instruction[] = [],
  hardTimeout = 0,
): FlowUpdate {
  return {
    event,
    reason: 0,
    tableId: 3,
    priority: 100 + flow,
    idleTimeout: 0,
    hardTimeout,
    cookie: 5n,
    match: [matchField('eth_type', 0x0800)],
    instructions,
  };
}

const numberOf = (message: OpenFlowMessage): number => {
  assert.equal(message.type, 'flow_mod');
  assert.ok(message.type === 'flow_mod');
  assert.equal(message.command, 'modify_strict');
  assert.equal(message.tableId, 3);
  assert.equal(matchKey(message.match), matchKey(update('added', 0).match));
  assert.equal(message.cookieMask, 0n);
  return message.priority - 100;
};
const instructionsOf = (message: OpenFlowMessage): readonly Instruction[] =>
  message.type === 'flow_mod' ? message.instructions : [];

function refusal(index: number): OpenFlowRequestError {
  const report = {
    errorType: 5,
    errorCode: 6,
    vendor: 0,
    name: 'OFPFMFC_BAD_COMMAND',
    data: Buffer.alloc(0),
  };
  return new OpenFlowRequestError(report, 'flow_mod', 1, index);
}

/** A translator that watches set 1, and what it has sent; `during` runs while a batch is under way. */
function scripted(flowsMax?: number) {
  const translator = new FlowTranslator({ bridge: 'br0', ...(flowsMax === undefined ? {} : { flowsMax }) });
  translator.setOptions(watching(1));
  const batches: (readonly OpenFlowMessage[])[] = [];
  const script: { during?: () => void; refuses?: number } = {};
  const transact: Transact = async (messages) => {
    batches.push(messages);
    const { during } = script;
    delete script.during;
    await Promise.resolve();
    during?.();
    return messages.flatMap((message, index) =>
      numberOf(message) === script.refuses ? [refusal(index)] : [],
    );
  };
  const run = () => runWith(translator, transact);
  const sent = () => batches.flat().map((message) => [numberOf(message), instructionsOf(message)] as const);
  return { translator, batches, script, transact, run, sent };
}

describe('what the monitor tells', () => {
  test('flows that are there, come and change are rewritten once, and flows that do not sample never', async () => {
    const { translator, run, sent } = scripted();
    assert.equal(translator.observe(update('initial', 1, apply(sample(1), OUTPUT))), true);
    assert.equal(translator.observe(update('initial', 2, apply(OUTPUT))), true);
    translator.observe(update('added', 3, apply(OUTPUT, sample(2), sample(1))));
    await run();
    assert.deepEqual(sent(), [
      [1, apply(sample(1), ours(sample(1)), OUTPUT)],
      [3, apply(OUTPUT, sample(2), sample(1), ours(sample(1)))],
    ]);
    assert.equal(translator.observe(update('modified', 1, apply(sample(1, 4)))), true);
    assert.equal(translator.observe(update('modified', 3, apply(OUTPUT))), true);
    assert.equal(translator.observe(update('removed', 3)), true);
    await run();
    assert.deepEqual(sent().slice(2), [[1, apply(sample(1, 4), ours(sample(1, 4)))]]);
    await run();
    assert.equal(translator.status().rewrites, 3);
    assert.deepEqual([...translator.status().flowsBySet], [[1, 1]]);
  });

  test('a flow that is gone before its turn is not rewritten', async () => {
    const { translator, run, batches } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    assert.equal(translator.observe(update('removed', 1)), false);
    await run();
    assert.equal(batches.length, 0);
  });

  test('a notice of our own change means nothing', () => {
    assert.equal(scripted().translator.observe({ event: 'abbrev', xid: 5 }), false);
  });

  test('batches end with a barrier each and are no larger than their limit', async () => {
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

  test('while the monitor is paused nothing is rewritten, for what we know may be old', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1, 1))));
    assert.equal(translator.observe({ event: 'paused' }), false);
    const running = run();
    assert.equal(translator.observe(update('modified', 1, apply(sample(1, 2)))), false);
    await Promise.resolve();
    assert.deepEqual(sent(), []);
    assert.equal(translator.observe({ event: 'resumed' }), true);
    await running;
    assert.deepEqual(sent(), [[1, apply(sample(1, 2), ours(sample(1, 2)))]]);
  });

  test('a pause that begins during a batch holds back the next one, and ends with the connection', async () => {
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

describe('a user who changes a flow while it is being rewritten', () => {
  const changes: readonly (readonly [string, readonly Instruction[], readonly Instruction[]])[] = [
    ['another sample', apply(sample(1, 2), OUTPUT), apply(sample(1, 2), ours(sample(1, 2)), OUTPUT)],
    ['no sample any more', apply(OUTPUT), apply(OUTPUT)],
    ['a sample that is not ours', apply(sample(9)), apply(sample(9))],
  ];
  for (const [what, his, final] of changes) {
    test(`has his way after one rewriting more, although ours may have come after his: ${what}`, async () => {
      const { translator, run, script, sent } = scripted();
      translator.observe(update('added', 1, apply(sample(1))));
      script.during = () => translator.observe(update('modified', 1, his));
      await run();
      assert.equal(sent().length, 2);
      assert.deepEqual(sent().at(-1), [1, final]);
      await run();
      assert.equal(sent().length, 2);
    });
  }

  test('has it also when our own change is told like his at the end of a pause', async () => {
    const { translator, run, script, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    script.during = () => {
      translator.observe(update('modified', 1, apply(OUTPUT)));
      translator.observe({ event: 'paused' });
    };
    const running = run();
    await new Promise(setImmediate);
    translator.observe(update('modified', 1, apply(sample(1), ours(sample(1)))));
    translator.observe({ event: 'resumed' });
    await running;
    assert.deepEqual(sent().slice(1), [[1, apply(OUTPUT)]]);
  });

  test('and deletes it: nothing more is sent; and adds another one there: that is rewritten', async () => {
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
      [1, apply(sample(1), ours(sample(1)))],
      [1, apply(OUTPUT)],
    ]);
    assert.equal(translator.status().flowsBySet.size, 0);
  });

  test('and whose change the connection does not outlive, is asked for anew', async () => {
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

describe('what fails', () => {
  test('a flow that is refused is a condition, is not in the count of followed flows, and is retried when it changes', async () => {
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

  test('the condition of a refused flow goes with the flow, and with the set', async () => {
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

  test('of very many refused flows some are named and all are counted', async () => {
    const { translator } = scripted();
    for (let flow = 0; flow < 500; flow += 1) {
      translator.observe(update('added', flow, apply(sample(1))));
    }
    await runWith(translator, async (messages) => messages.map((_, index) => refusal(index)));
    assert.equal(translator.conditions().length, 20);
    assert.equal(translator.status().refused, 500);
  });

  test('a batch that did not get through is sent again', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    await assert.rejects(
      runWith(translator, () => Promise.reject(new Error('too much waits'))),
      /too much/u,
    );
    await run();
    assert.equal(sent().length, 1);
  });

  test('a flow that no message can hold keeps no other flow back', async () => {
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

  test('flows with hard timeouts are warned of once, when one has to be rewritten', async () => {
    const { translator, run } = scripted();
    translator.observe(update('added', 1, apply(sample(1), ours(sample(1))), 60));
    assert.deepEqual(translator.conditions(), []);
    translator.observe(update('added', 2, apply(sample(1)), 60));
    translator.observe(update('added', 3, apply(sample(1)), 60));
    await run();
    const codes = translator.conditions().map(({ code, severity }) => [code, severity]);
    assert.deepEqual(codes, [['hard-timeout-restarts', 'warning']]);
  });
});

describe('sets that come and go', () => {
  test('flows are rewritten for the sets that are watched now, and restored without any', async () => {
    const { translator, run, sent } = scripted();
    const his = apply(sample(1), sample(2));
    translator.observe(update('added', 1, his));
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
        apply(sample(1), ours(sample(1)), sample(2)),
        apply(sample(1), ours(sample(1)), sample(2), ours(sample(2))),
        apply(sample(1), sample(2), ours(sample(2))),
        his,
      ],
    );
  });

  test('setting the same options again sends nothing', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    await run();
    translator.setOptions(watching(1));
    await run();
    assert.equal(sent().length, 1);
  });

  test('another meter id is a new translation', async () => {
    const { translator, run, sent } = scripted();
    translator.observe(update('added', 1, apply(sample(1))));
    await run();
    translator.setOptions({ collectorSets: new Set([1]), meterId: 5 });
    await run();
    assert.equal(sent().length, 2);
  });
});

describe('the limit of flows', () => {
  test('flows above it are not followed and counted; changes of followed ones are still seen', async () => {
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

  test('a flow that has our action is cleaned whatever the limit', async () => {
    const { translator, run, sent } = scripted(1);
    translator.setOptions(watching());
    translator.observe(update('initial', 1, apply(sample(1))));
    translator.observe(update('initial', 2, apply({ type: 'clone', actions: [sample(1), ours(sample(1))] })));
    await run();
    assert.deepEqual(sent(), [[2, apply({ type: 'clone', actions: [sample(1)] })]]);
  });
});

describe('without a flow monitor', () => {
  test('each look finds what has come, changed and gone, and tries no refused flow again that is as it was', async () => {
    const { translator, run, script, sent } = scripted();
    script.refuses = 2;
    const flows = [1, 2, 3].map((flow) => update('initial', flow, apply(sample(1))));
    translator.observeAll(flows);
    await run();
    assert.deepEqual([...translator.status().flowsBySet], [[1, 2]]);
    const translated = update('initial', 1, apply(sample(1), ours(sample(1))));
    translator.observeAll([translated, update('initial', 2, apply(sample(1)))]);
    await run();
    assert.equal(sent().length, 3);
    assert.deepEqual([...translator.status().flowsBySet], [[1, 1]]);
    assert.equal(translator.conditions().length, 1);
    translator.observeAll([update('initial', 1, apply(sample(1, 8)))]);
    await run();
    assert.deepEqual(sent().at(-1), [1, apply(sample(1, 8), ours(sample(1, 8)))]);
    assert.deepEqual(translator.conditions(), []);
  });
});

/**
 * A switch as far as flows and their monitor are concerned: it tells of users' changes in the order in which it made them.
 * While the monitor is paused it tells only of deletions, and afterwards how all flows are that anybody has changed.
 */
class ModelSwitch {
  readonly translator = new FlowTranslator({ bridge: 'br0' });
  readonly switchFlows = new Map<number, readonly Instruction[]>();
  readonly userFlows = new Map<number, readonly Instruction[]>();
  /**
   * Flows of the batch that is under way. A change of one of them while the monitor is paused is beyond us, and so is any
   * that is made when it is paused and we have not heard so yet: the batch that we send then is from old knowledge.
   */
  inFlight: readonly number[] = [];
  userChanges = 0;
  /** Told when the switch gets round to it, before it answers a later barrier. */
  readonly #untold: FlowMonitorEvent[] = [];
  /** What has changed since the monitor was paused. */
  #changed: Set<number> | undefined;

  change(flow: number, instructions: readonly Instruction[] | undefined): void {
    const isThere = this.switchFlows.has(flow);
    const isPauseTold = !this.#untold.some(({ event }) => event === 'paused');
    if (this.#changed !== undefined && (!isPauseTold || this.inFlight.includes(flow))) {
      return;
    }
    if (instructions === undefined) {
      if (isThere) {
        this.#untold.push(update('removed', flow));
      }
      this.switchFlows.delete(flow);
      this.userFlows.delete(flow);
      return;
    }
    this.switchFlows.set(flow, instructions);
    this.userFlows.set(flow, instructions);
    this.userChanges += 1;
    if (this.#changed === undefined) {
      this.#untold.push(update(isThere ? 'modified' : 'added', flow, instructions));
    } else {
      this.#changed.add(flow);
    }
  }

  tell(count = this.#untold.length): void {
    for (const event of this.#untold.splice(0, count)) {
      this.translator.observe(event);
    }
  }

  pause(): void {
    if (this.#changed === undefined) {
      this.#untold.push({ event: 'paused' });
      this.#changed = new Set();
    }
  }

  resume(): void {
    if (this.#changed !== undefined) {
      for (const flow of this.#changed) {
        const instructions = this.switchFlows.get(flow);
        if (instructions !== undefined) {
          this.#untold.push(update('modified', flow, instructions));
        }
      }
      this.#untold.push({ event: 'resumed' });
      this.#changed = undefined;
    }
  }

  /** A strict modification changes a flow that is there, and tells us nothing of what it has become. */
  rewrite(message: OpenFlowMessage): void {
    const flow = numberOf(message);
    if (this.switchFlows.has(flow)) {
      this.switchFlows.set(flow, instructionsOf(message));
      this.#changed?.add(flow);
    }
  }
}

type Operation =
  | { readonly what: 'change'; readonly flow: number; readonly actions: readonly Action[] | undefined }
  | { readonly what: 'tell'; readonly count: number }
  | { readonly what: 'pause' | 'resume' };

const arbitraryActions = fc.array(
  fc.oneof(
    fc.constant(OUTPUT),
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(2)).map(([set, point]) => sample(set, point)),
  ),
  { maxLength: 3 },
);
const arbitraryOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    what: fc.constant('change' as const),
    flow: fc.nat(3),
    actions: fc.option(arbitraryActions, { nil: undefined }),
  }),
  fc.record({ what: fc.constant('tell' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ what: fc.constantFrom('pause' as const, 'resume' as const) }),
);

function perform(model: ModelSwitch, operation: Operation): void {
  switch (operation.what) {
    case 'tell':
      model.tell(operation.count);
      break;
    case 'change':
      model.change(operation.flow, operation.actions && apply(...operation.actions));
      break;
    case 'pause':
      model.pause();
      break;
    case 'resume':
      model.resume();
      break;
  }
}

test('whatever users do, and whenever, their flows end as they want them with our actions in, after two rewritings a change at most', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(arbitraryOperation, { maxLength: 30 }),
      fc.infiniteStream(fc.nat(3)),
      async (operations, steps) => {
        const model = new ModelSwitch();
        const { translator } = model;
        translator.setOptions(watching(1, 2));
        const left = [...operations];
        const act = () => {
          // At any point users may do some things, and the switch may have told us of some of them.
          const count = steps.next().value ?? 0;
          for (const operation of left.splice(0, count)) {
            perform(model, operation);
          }
        };
        const transact: Transact = async (messages) => {
          model.inFlight = messages.map(numberOf);
          for (const message of messages) {
            act();
            model.rewrite(message);
          }
          act();
          model.inFlight = [];
          model.tell();
          // The barrier's answer is on its way; more may be told before it is looked at.
          act();
          return [];
        };
        const run = async () => {
          const state = { isRunning: true };
          const running = runWith(translator, transact).then(() => {
            state.isRunning = false;
          });
          while (state.isRunning) {
            await Promise.resolve();
            act();
            model.resume();
            model.tell();
          }
          await running;
        };
        while (left.length > 0) {
          act();
          await run();
        }
        model.resume();
        model.tell();
        await run();
        const wanted = [...model.userFlows].map(([flow, instructions]) => [
          flow,
          translateInstructions(instructions, watching(1, 2)),
        ]);
        assert.deepEqual([...model.switchFlows], wanted);
        const { rewrites } = translator.status();
        assert.ok(rewrites <= 2 * model.userChanges, `${rewrites} for ${model.userChanges} changes`);
        translator.setOptions(watching());
        await run();
        assert.deepEqual([...model.switchFlows], [...model.userFlows]);
      },
    ),
    { numRuns: 3000 },
  );
});

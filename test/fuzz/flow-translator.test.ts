// The flow translator on a model of a switch, under generated sequences of users' changes, reports and pauses of the monitor.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Transact } from '../../src/control/flow-rewriting.ts';
import { FlowTranslator } from '../../src/control/flow-translator.ts';
import { translateInstructions } from '../../src/control/translation.ts';
import type {
  Action,
  FlowMonitorEvent,
  Instruction,
  OpenFlowMessage,
} from '../../src/node-openflow/index.ts';
import {
  apply,
  instructionsOf,
  numberOf,
  OUTPUT,
  runWith,
  sample,
  update,
  watching,
} from '../control/translator-script.ts';

/**
 * The flows of a switch and their monitor, which reports users' changes in the order in which they were made. While it is
 * paused it reports deletions only, and when it resumes, the state of each flow that any client has changed.
 */
class ModelSwitch {
  readonly translator = new FlowTranslator({ bridge: 'br0' });
  readonly switchFlows = new Map<number, readonly Instruction[]>();
  readonly userFlows = new Map<number, readonly Instruction[]>();
  /**
   * Flows of the batch that is under way. The translator cannot see a change of one of them while the monitor is paused, nor
   * a change between the pause and its report, because the batch that it sends then follows from older events.
   */
  inFlight: readonly number[] = [];
  userChanges = 0;
  /** Events that the switch sends before it answers a later barrier. */
  readonly #unreported: FlowMonitorEvent[] = [];
  /** Flows that have changed since the monitor was paused. */
  #changed: Set<number> | undefined;

  change(flow: number, instructions: readonly Instruction[] | undefined): void {
    const exists = this.switchFlows.has(flow);
    const isPauseReported = !this.#unreported.some(({ event }) => event === 'paused');
    if (this.#changed !== undefined && (!isPauseReported || this.inFlight.includes(flow))) {
      return;
    }
    if (instructions === undefined) {
      if (exists) {
        this.#unreported.push(update('removed', flow));
      }
      this.switchFlows.delete(flow);
      this.userFlows.delete(flow);
      return;
    }
    this.switchFlows.set(flow, instructions);
    this.userFlows.set(flow, instructions);
    this.userChanges += 1;
    if (this.#changed === undefined) {
      this.#unreported.push(update(exists ? 'modified' : 'added', flow, instructions));
    } else {
      this.#changed.add(flow);
    }
  }

  report(count = this.#unreported.length): void {
    for (const event of this.#unreported.splice(0, count)) {
      this.translator.observe(event);
    }
  }

  pause(): void {
    if (this.#changed === undefined) {
      this.#unreported.push({ event: 'paused' });
      this.#changed = new Set();
    }
  }

  resume(): void {
    if (this.#changed !== undefined) {
      for (const flow of this.#changed) {
        const instructions = this.switchFlows.get(flow);
        if (instructions !== undefined) {
          this.#unreported.push(update('modified', flow, instructions));
        }
      }
      this.#unreported.push({ event: 'resumed' });
      this.#changed = undefined;
    }
  }

  /** Performs a strict modification: it changes an existing flow, and the reply does not show the flow. */
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
  | { readonly what: 'report'; readonly count: number }
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
  fc.record({ what: fc.constant('report' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ what: fc.constantFrom('pause' as const, 'resume' as const) }),
);

function perform(model: ModelSwitch, operation: Operation): void {
  switch (operation.what) {
    case 'report':
      model.report(operation.count);
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

test('users end up with their own flows plus companion actions, whatever they change and when, in at most two rewritings a change', async () => {
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
          // At any point users may change flows, and the switch may have reported some of the changes.
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
          model.report();
          // More changes may be reported before the reply to the barrier is read.
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
            model.report();
          }
          await running;
        };
        while (left.length > 0) {
          act();
          await run();
        }
        model.resume();
        model.report();
        await run();
        const expected = [...model.userFlows].map(([flow, instructions]) => [
          flow,
          translateInstructions(instructions, watching(1, 2)),
        ]);
        assert.deepEqual([...model.switchFlows], expected);
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

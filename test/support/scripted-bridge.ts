// A BridgeSession with a scripted switch, for unit tests of src/control: no Open vSwitch, no sockets, a manual clock. At the
// end of the test the session must have made only transitions of the tables of states, and logged no warning that the test
// has not taken.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { RegisterBit } from '../../src/config/settings.ts';
import { type BridgeDesired, NOTHING_DESIRED } from '../../src/control/bridge-desired.ts';
import { BridgeSession } from '../../src/control/bridge-session.ts';
import type { BridgeSessionOptions, HookSight } from '../../src/control/bridge-session-options.ts';
import type { MeterCounters } from '../../src/intake/meter-ledger.ts';
import {
  type Action,
  type FlowMod,
  flowMod,
  type Instruction,
  type MessageOf,
  matchField,
  type SampleAction,
} from '../../src/node-openflow/index.ts';
import { Log } from '../../src/runtime/log.ts';
import { ManualClock } from './manual-clock.ts';
import { ScriptedSwitch, type SwitchBehaviour } from './scripted-switch.ts';
import { StateTrace } from './state-tables.ts';

export const MARK: RegisterBit = { register: 11, bit: 31 };
export const HOOK_DESIRED: BridgeDesired = {
  maxSampleRate: 1000,
  hook: { observationDomainId: 1, observationPointId: 2 },
  keepsHookMeter: false,
  collectorSets: new Set(),
  followedSets: new Set(),
};
/** The slot of the hook, as the switch shows it. */
export const HOOK_PLACE = 'table=0,priority=65535,reg11=0x0/0x80000000';

/** Returns the desired state of a bridge with collector sets and a hook. */
export function samplingSets(sets: readonly number[], hook = HOOK_DESIRED.hook): BridgeDesired {
  return { ...HOOK_DESIRED, hook, collectorSets: new Set(sets) };
}

/** Returns a `sample` action of the collector set. */
export function sample(collectorSetId: number): SampleAction {
  return {
    type: 'sample',
    probability: 655,
    collectorSetId,
    observationDomainId: 7,
    observationPointId: 8,
    samplingPort: 0xffff_ffff,
    direction: 0,
  };
}

export const output = (port: number): Action => ({ type: 'output', port, maxLength: 0 });
export const apply = (...actions: readonly Action[]): Instruction => ({ type: 'apply_actions', actions });

/** Returns the flow mod by which a user adds, modifies or deletes flow number `index`. */
export function userFlow(
  index: number,
  instructions: readonly Instruction[],
  command: FlowMod['command'] = 'add',
): MessageOf<'flow_mod'> {
  const match = [matchField('reg0', index)];
  return { type: 'flow_mod', ...flowMod({ command, tableId: 3, priority: 100, match, instructions }) };
}

/** Options of a scripted bridge. */
export interface ScriptedBridgeOptions {
  readonly behaviour?: Partial<SwitchBehaviour>;
  readonly desired?: BridgeDesired;
  readonly unmetered?: BridgeSessionOptions['unmetered'];
  readonly isLeading?: () => boolean;
  readonly isBridgeGone?: () => boolean;
  readonly isRestoringFlows?: () => boolean;
  readonly isSwitchStopped?: () => boolean;
}

export class ScriptedBridge {
  readonly clock = new ManualClock();
  readonly ofswitch: ScriptedSwitch;
  readonly session: BridgeSession;
  readonly hook = new StateTrace('hook-reconciler.ts');
  readonly translation = new StateTrace('translation-reconciler.ts');
  /** What the hook's meter has counted, each time that it was read. */
  readonly pools: MeterCounters[] = [];
  /** What was seen of the hook. */
  readonly sights: HookSight[] = [];
  #lines: string[] = [];

  constructor(t: TestContext, options: ScriptedBridgeOptions = {}) {
    const { clock } = this;
    this.ofswitch = new ScriptedSwitch({ clock, behaviour: options.behaviour ?? {} });
    const log = new Log({ clock, destination: (line) => this.#lines.push(line), level: 'debug' });
    this.session = new BridgeSession({
      bridge: 'br0',
      endpoint: { kind: 'unix', path: '/nonexistent/br0.mgmt' },
      tls: undefined,
      clock,
      log: log.logger('control'),
      mark: MARK,
      unmetered: options.unmetered ?? 'refuse',
      isLeading: options.isLeading ?? (() => true),
      isBridgeGone: options.isBridgeGone ?? (() => false),
      isRestoringFlows: options.isRestoringFlows ?? (() => false),
      isSwitchStopped: options.isSwitchStopped ?? (() => false),
      onPacketIn: () => {},
      onPool: (meter, pool) => {
        if (meter === 'hook') {
          this.pools.push(pool);
        }
      },
      onLedgerEvent: () => {},
      onHook: (sight) => this.sights.push(sight),
      onConnection: () => {},
      onRemoved: async () => {},
      onChange: () => this.#note(),
      dial: () => this.ofswitch.dial(),
    });
    this.#note();
    this.session.setDesired(options.desired ?? NOTHING_DESIRED);
    t.after(() => {
      assert.deepEqual([...this.hook.undocumented, ...this.translation.undocumented], []);
      assert.deepEqual(this.takeWarnings(), []);
    });
  }

  /** Starts the session and runs everything that follows immediately. */
  async start(): Promise<void> {
    this.session.start();
    await this.clock.advanceMs(0);
  }

  /** Applies a change of another client, which must not be refused. */
  doAsAnother(message: Parameters<ScriptedSwitch['doAsAnother']>[0]): void {
    assert.equal(this.ofswitch.doAsAnother(message), undefined);
  }

  /** Deletes the hook as another client. */
  deleteHook(): void {
    const match = [matchField(`reg${MARK.register}`, 0, 2 ** MARK.bit)];
    const mod = flowMod({ command: 'delete_strict', priority: 65_535, match });
    this.doAsAnother({ type: 'flow_mod', ...mod });
  }

  /** Returns the messages of warnings and errors since the last call. */
  takeWarnings(): string[] {
    const lines = this.#lines.splice(0);
    return lines
      .filter((line) => /\|(?:WARN|ERR)\|/u.test(line))
      .map((line) => line.split('|').slice(4).join('|'));
  }

  /** Returns the flows except the hook. */
  userFlows(): string[] {
    return this.ofswitch.flows().filter((flow) => !flow.startsWith(HOOK_PLACE));
  }

  get hasHook(): boolean {
    return this.ofswitch.flows().some((flow) => flow.startsWith(HOOK_PLACE));
  }

  /** Returns the state for `runScript`. */
  print(): string[] {
    const { hook, translation, connection, protocol, flowMonitor } = this.session.status();
    return [
      `connection: ${connection.state}${protocol === undefined ? '' : `, ${protocol}, flow monitor ${flowMonitor}`}`,
      `hook: ${hook}`,
      `translation: ${translation.state}`,
      `conditions: ${this.session
        .conditions()
        .map(({ code }) => code)
        .join(' ')}`,
    ];
  }

  #note(): void {
    const { hook, translation } = this.session.status();
    this.hook.note(hook);
    this.translation.note(translation.state);
  }
}

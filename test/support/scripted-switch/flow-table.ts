// The flow tables of a scripted switch: flow mods, timeouts, and the changes that monitors report, on the test's clock.

import {
  eachAction,
  type FlowMod,
  type FlowStatsRequest,
  formatInstructions,
  formatMatch,
  type Instruction,
  type MatchField,
  matchKey,
  PORT_ANY,
  TABLE_ALL,
} from '../../../src/node-openflow/index.ts';
import type { Clock, Timer } from '../../../src/runtime/clock.ts';
import { Refusal } from './behaviour.ts';
import { isWithin, plainInstructions, plainMatch } from './flow-forms.ts';

/** OFPRR_*. */
export const REMOVED_BY = { hardTimeout: 1, delete: 2, groupDelete: 3, meterDelete: 4 } as const;
/** Table 254 is reserved for the switch. */
const TABLE_COUNT = 254;
/** OFPP_CONTROLLER. */
const CONTROLLER = 0xffff_fffd;

/** A flow, independent of version. */
export interface SwitchFlow {
  readonly tableId: number;
  readonly priority: number;
  readonly match: readonly MatchField[];
  instructions: readonly Instruction[];
  cookie: bigint;
  idleTimeout: number;
  hardTimeout: number;
  importance: number;
  flags: number;
  /** Set by tests. */
  packetCount: bigint;
  byteCount: bigint;
  createdMicros: number;
  /** The serial of the change that added it, for monitors that were paused. */
  addedSerial: number;
  modifiedSerial: number;
  timer: Timer | undefined;
}

/** A change of one flow. */
export interface FlowChange {
  readonly event: 'added' | 'modified' | 'removed';
  /** OFPRR_*, if it was removed. */
  readonly reason: number;
  readonly flow: SwitchFlow;
}

/** Objects that flows refer to. */
export interface FlowReferences {
  hasMeter(meterId: number): boolean;
  hasGroup(groupId: number): boolean;
}

/** Formats a flow: "table=0,priority=5,udp_dst=1 actions=output:2". */
export function formatFlow(
  flow: Pick<SwitchFlow, 'tableId' | 'priority' | 'match' | 'instructions'>,
): string {
  return `${formatPlace(flow)} actions=${formatInstructions(flow.instructions)}`;
}

/** Formats table, priority and match. */
export function formatPlace(flow: Pick<SwitchFlow, 'tableId' | 'priority' | 'match'>): string {
  const match = flow.match.length === 0 ? '' : `,${formatMatch(flow.match)}`;
  return `table=${flow.tableId},priority=${flow.priority}${match}`;
}

export class FlowTable {
  readonly #clock: Clock;
  readonly #references: FlowReferences;
  readonly #onChange: (change: FlowChange) => void;
  readonly #onTimeout: () => void;
  readonly #flows = new Map<string, SwitchFlow>();
  #serial = 0;

  /** `onTimeout` is called after a timeout has removed a flow and the change has been reported. */
  constructor(
    clock: Clock,
    references: FlowReferences,
    onChange: (change: FlowChange) => void,
    onTimeout: () => void,
  ) {
    this.#clock = clock;
    this.#references = references;
    this.#onChange = onChange;
    this.#onTimeout = onTimeout;
  }

  /** All flows, in the order in which they were added. */
  get flows(): readonly SwitchFlow[] {
    return [...this.#flows.values()];
  }

  /** Returns the serial of a new change. */
  nextSerial(): number {
    this.#serial += 1;
    return this.#serial;
  }

  /** Returns the flows that a request selects. */
  select(
    request: Pick<FlowStatsRequest, 'tableId' | 'outPort' | 'cookie' | 'cookieMask' | 'match'>,
  ): SwitchFlow[] {
    const match = plainMatch(request.match);
    return this.flows.filter(
      (flow) =>
        (request.tableId === TABLE_ALL || request.tableId === flow.tableId) &&
        isSelected(flow, request) &&
        isWithin(flow.match, match),
    );
  }

  /** Executes a flow mod; throws `Refusal`. */
  apply(mod: FlowMod): void {
    switch (mod.command) {
      case 'add':
        this.#add(mod, mod.cookie);
        return;
      case 'modify':
      case 'modify_strict':
        this.#modify(mod);
        return;
      case 'delete':
      case 'delete_strict':
        for (const flow of this.#affected(mod)) {
          this.#remove(flow, REMOVED_BY.delete);
        }
        return;
    }
  }

  /** Removes flows with the given reason. */
  removeWhere(condition: (flow: SwitchFlow) => boolean, reason: number): void {
    for (const flow of this.flows.filter(condition)) {
      this.#remove(flow, reason);
    }
  }

  /** Removes all flows without a report, as when the switch ends. */
  clear(): void {
    for (const flow of this.#flows.values()) {
      flow.timer?.cancel();
    }
    this.#flows.clear();
  }

  /** Restarts the timeouts of all flows, which were saved and restored. */
  restartTimeouts(): void {
    for (const flow of this.#flows.values()) {
      flow.createdMicros = this.#clock.monotonicMicros();
      this.#armTimeout(flow);
    }
  }

  #affected(mod: FlowMod): readonly SwitchFlow[] {
    if (!mod.command.endsWith('_strict')) {
      return this.select(mod);
    }
    const match = plainMatch(mod.match);
    const tables = mod.tableId === TABLE_ALL ? [...Array(TABLE_COUNT + 1).keys()] : [mod.tableId];
    const flows = tables.flatMap((tableId) => this.#flows.get(keyOf({ ...mod, tableId, match })) ?? []);
    return flows.filter((flow) => isSelected(flow, mod));
  }

  #add(mod: FlowMod, cookie: bigint): void {
    const tableId = mod.tableId === TABLE_ALL ? 0 : mod.tableId;
    if (tableId > TABLE_COUNT) {
      throw new Refusal('OFPBRC_BAD_TABLE_ID');
    }
    const match = plainMatch(mod.match);
    const instructions = this.#checked(mod.instructions);
    const key = keyOf({ tableId, priority: mod.priority, match });
    this.#flows.get(key)?.timer?.cancel();
    const serial = this.nextSerial();
    const { priority, idleTimeout, hardTimeout, importance, flags } = mod;
    const flow: SwitchFlow = {
      tableId,
      priority,
      match,
      instructions,
      cookie,
      idleTimeout,
      hardTimeout,
      importance,
      flags,
      packetCount: 0n,
      byteCount: 0n,
      createdMicros: this.#clock.monotonicMicros(),
      addedSerial: serial,
      modifiedSerial: serial,
      timer: undefined,
    };
    this.#flows.set(key, flow);
    this.#armTimeout(flow);
    this.#onChange({ event: 'added', reason: 0, flow });
  }

  /** Modifies flows: timeouts, flags and counters are kept, the hard timeout restarts. Unchanged flows are not reported. */
  #modify(mod: FlowMod): void {
    const flows = this.#affected(mod);
    if (flows.length === 0) {
      if (mod.newCookie !== undefined && mod.cookieMask === 0n) {
        this.#add(mod, mod.newCookie);
      }
      return;
    }
    const instructions = this.#checked(mod.instructions);
    for (const flow of flows) {
      const cookie = mod.newCookie ?? flow.cookie;
      const isChanged =
        cookie !== flow.cookie || formatInstructions(flow.instructions) !== formatInstructions(instructions);
      flow.instructions = instructions;
      flow.cookie = cookie;
      this.#armTimeout(flow);
      if (!isChanged) {
        continue;
      }
      flow.modifiedSerial = this.nextSerial();
      this.#onChange({ event: 'modified', reason: 0, flow });
    }
  }

  #checked(given: readonly Instruction[]): readonly Instruction[] {
    const instructions = plainInstructions(given);
    for (const instruction of instructions) {
      if (instruction.type === 'meter' && !this.#references.hasMeter(instruction.meterId)) {
        throw new Refusal('OFPMMFC_INVALID_METER');
      }
      for (const action of 'actions' in instruction ? eachAction(instruction.actions) : []) {
        if (action.type === 'group' && !this.#references.hasGroup(action.value)) {
          throw new Refusal('OFPBAC_BAD_OUT_GROUP');
        }
      }
    }
    return instructions;
  }

  #armTimeout(flow: SwitchFlow): void {
    flow.timer?.cancel();
    flow.timer =
      flow.hardTimeout === 0
        ? undefined
        : this.#clock.setTimer(() => {
            this.#remove(flow, REMOVED_BY.hardTimeout);
            this.#onTimeout();
          }, flow.hardTimeout * 1000);
  }

  #remove(flow: SwitchFlow, reason: number): void {
    flow.timer?.cancel();
    this.#flows.delete(keyOf(flow));
    this.#onChange({ event: 'removed', reason, flow });
  }
}

/** Whether a flow has the meter as an instruction; `controller` actions are ignored, as in Open vSwitch. */
export function usesMeter(flow: SwitchFlow, meterId: number): boolean {
  return flow.instructions.some(
    (instruction) => instruction.type === 'meter' && instruction.meterId === meterId,
  );
}

/** Whether a flow sends packets to the group. */
export function usesGroup(flow: SwitchFlow, groupId: number): boolean {
  return flowActions(flow).some((action) => action.type === 'group' && action.value === groupId);
}

function keyOf({ tableId, priority, match }: Pick<SwitchFlow, 'tableId' | 'priority' | 'match'>): string {
  return `${tableId} ${priority} ${matchKey(match)}`;
}

/** Whether a flow has the cookie and the output port that a request is restricted to. */
function isSelected(
  flow: SwitchFlow,
  { cookie, cookieMask, outPort }: Pick<FlowStatsRequest, 'cookie' | 'cookieMask' | 'outPort'>,
): boolean {
  const isCookie = (flow.cookie & cookieMask) === (cookie & cookieMask);
  return isCookie && (outPort === PORT_ANY || outputsTo(flow, outPort));
}

function outputsTo(flow: SwitchFlow, port: number): boolean {
  return flowActions(flow).some((action) =>
    action.type === 'output' ? action.port === port : action.type === 'controller2' && port === CONTROLLER,
  );
}

function flowActions(flow: SwitchFlow) {
  return flow.instructions.flatMap((instruction) =>
    'actions' in instruction ? [...eachAction(instruction.actions)] : [],
  );
}

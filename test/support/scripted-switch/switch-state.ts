// The state shared by all connections to a scripted switch: tables, meters and groups, behaviour, and the transcript.

import {
  type FlowMod,
  type FlowStatsRequest,
  GROUP_ALL,
  type GroupDescription,
  type GroupMod,
  METER_ALL,
  type MeterMod,
  type OpenFlowMessageType,
  REQUEST_FORWARD_REASONS,
} from '../../../src/node-openflow/index.ts';
import type { Clock } from '../../../src/runtime/clock.ts';
import { FaultList, OVS_BEHAVIOUR, Refusal, type SwitchBehaviour } from './behaviour.ts';
import {
  type FlowChange,
  FlowTable,
  formatPlace,
  REMOVED_BY,
  type SwitchFlow,
  usesGroup,
  usesMeter,
} from './flow-table.ts';
import { formatMeter } from './message-text.ts';
import { requestForward, type SwitchMeter, type SwitchPort } from './replies.ts';
import type { SwitchConnection } from './switch-connection.ts';

const REASON_NAMES: ReadonlyMap<number, string> = new Map([
  [REMOVED_BY.hardTimeout, 'hard timeout'],
  [REMOVED_BY.delete, 'deleted'],
  [REMOVED_BY.groupDelete, 'its group was deleted'],
  [REMOVED_BY.meterDelete, 'its meter was deleted'],
]);

export class SwitchState {
  readonly clock: Clock;
  readonly flowTable: FlowTable;
  readonly meters = new Map<number, SwitchMeter>();
  readonly groups = new Map<number, GroupDescription>();
  readonly connections = new Set<SwitchConnection>();
  readonly faults = new FaultList();
  readonly behaviour: SwitchBehaviour = { ...OVS_BEHAVIOUR };
  readonly transcript: string[] = [];
  ports: readonly SwitchPort[] = [];
  /** OFPC_FRAG_* of the bridge. */
  configFlags = 0;
  #held: 'nothing' | 'everything' | ReadonlySet<OpenFlowMessageType> = 'nothing';

  constructor(clock: Clock) {
    this.clock = clock;
    this.flowTable = new FlowTable(
      clock,
      { hasMeter: (id) => this.meters.has(id), hasGroup: (id) => this.groups.has(id) },
      (change) => this.#report(change),
      () => this.flushMonitors(),
    );
  }

  note(line: string): void {
    this.transcript.push(line);
  }

  hold(types: 'nothing' | 'everything' | ReadonlySet<OpenFlowMessageType>): void {
    this.#held = types;
  }

  /** Whether replies to messages of that type are held. */
  isHeld(type: OpenFlowMessageType): boolean {
    if (typeof this.#held === 'string') {
      return this.#held === 'everything';
    }
    return this.#held.has(type);
  }

  forget(connection: SwitchConnection): void {
    this.connections.delete(connection);
  }

  /** Sends the recorded changes of all flow monitors. */
  flushMonitors(): void {
    for (const connection of this.connections) {
      connection.sendBytes(...(connection.monitors?.flush() ?? []));
    }
  }

  applyFlowMod(mod: FlowMod): void {
    this.flowTable.apply(mod);
  }

  selectFlows(request: FlowStatsRequest): SwitchFlow[] {
    return this.flowTable.select(request);
  }

  /** Executes a meter mod of that connection, or of another client; throws `Refusal`. */
  applyMeterMod(mod: MeterMod, source: SwitchConnection | undefined): void {
    const { command, meterId } = mod;
    const meter = this.meters.get(meterId);
    switch (command) {
      case 'add':
        if (this.behaviour.meters !== 'present') {
          throw new Refusal('OFPMMFC_INVALID_METER');
        }
        if (meterId === 0 || meterId > this.behaviour.meterCountMax) {
          throw new Refusal('OFPMMFC_INVALID_METER');
        }
        if (meter !== undefined) {
          throw new Refusal('OFPMMFC_METER_EXISTS');
        }
        this.meters.set(meterId, newMeter(mod, this.clock.monotonicMicros()));
        this.note(`switch: added ${formatMeter(mod)}`);
        break;
      case 'modify':
        if (meter === undefined) {
          throw new Refusal('OFPMMFC_UNKNOWN_METER');
        }
        // The counters start anew, as in Open vSwitch.
        this.meters.set(meterId, newMeter(mod, meter.createdMicros));
        this.note(`switch: modified ${formatMeter(mod)}`);
        break;
      case 'delete':
        for (const id of meterId === METER_ALL ? [...this.meters.keys()] : [meterId]) {
          this.#deleteMeter(id);
        }
        break;
    }
    this.flushMonitors();
    this.#forward({ type: 'meter_mod', ...mod }, source);
  }

  /** Executes a group mod; throws `Refusal`. */
  applyGroupMod(mod: GroupMod, source: SwitchConnection | undefined): void {
    const { command, groupId, groupType, properties } = mod;
    const buckets = plainBuckets(mod);
    const group = this.groups.get(groupId);
    switch (command) {
      case 'add':
        if (group !== undefined) {
          throw new Refusal('OFPGMFC_GROUP_EXISTS');
        }
        break;
      case 'modify':
        if (group === undefined) {
          throw new Refusal('OFPGMFC_UNKNOWN_GROUP');
        }
        break;
      case 'add_or_modify':
      case 'delete':
        break;
      case 'insert_bucket':
      case 'remove_bucket':
        throw new Error(`The scripted switch cannot ${command}.`);
    }
    if (command === 'delete') {
      for (const id of groupId === GROUP_ALL ? [...this.groups.keys()] : [groupId]) {
        this.#deleteGroup(id);
      }
    } else {
      this.groups.set(groupId, { groupId, groupType, properties, buckets });
      this.note(`switch: ${group === undefined ? 'added' : 'modified'} group ${groupId}`);
    }
    this.#forward({ type: 'group_mod', ...mod, buckets }, source);
  }

  /** Clears the state as when ovs-vswitchd ends: nothing is reported, all connections end. */
  clear(keeps: 'nothing' | 'flows'): void {
    for (const connection of this.connections) {
      connection.hangUp();
    }
    this.meters.clear();
    if (keeps === 'flows') {
      this.flowTable.restartTimeouts();
    } else {
      this.flowTable.clear();
      this.groups.clear();
    }
  }

  #report(change: FlowChange): void {
    const reason = change.event === 'removed' ? ` (${REASON_NAMES.get(change.reason) ?? change.reason})` : '';
    this.note(`switch: ${change.event} ${formatPlace(change.flow)}${reason}`);
    for (const connection of this.connections) {
      connection.monitors?.report(change, connection.executingXid);
    }
  }

  #deleteMeter(meterId: number): void {
    if (!this.meters.delete(meterId)) {
      return;
    }
    this.note(`switch: deleted meter ${meterId}`);
    this.flowTable.removeWhere((flow) => usesMeter(flow, meterId), REMOVED_BY.meterDelete);
  }

  #deleteGroup(groupId: number): void {
    if (!this.groups.delete(groupId)) {
      return;
    }
    this.note(`switch: deleted group ${groupId}`);
    this.flowTable.removeWhere((flow) => usesGroup(flow, groupId), REMOVED_BY.groupDelete);
  }

  /** Forwards a request to the other connections that have enabled it. */
  #forward(
    request: ({ readonly type: 'meter_mod' } & MeterMod) | ({ readonly type: 'group_mod' } & GroupMod),
    source: SwitchConnection | undefined,
  ): void {
    const isMeter = request.type === 'meter_mod';
    const reason = isMeter ? REQUEST_FORWARD_REASONS.meterMod : REQUEST_FORWARD_REASONS.groupMod;
    for (const connection of this.connections) {
      const { version, settings } = connection;
      const masks = settings.asyncConfig.requestForward;
      const mask = settings.role === 'secondary' ? masks?.secondary : masks?.active;
      const isAsked = settings.missSendLength > 0 && ((mask ?? 0) & reason) !== 0;
      if (connection === source || version === undefined || !isAsked || (isMeter && version === 1)) {
        continue;
      }
      connection.sendBytes(requestForward(version, request));
    }
  }
}

function newMeter({ meterId, flags, bands }: MeterMod, createdMicros: number): SwitchMeter {
  const none = { packetCount: 0n, byteCount: 0n, droppedPackets: 0n, droppedBytes: 0n };
  return { meterId, flags, bands, createdMicros, ...none };
}

/** Returns buckets with ids, numbered if they had none; only those of select groups have weights. */
function plainBuckets({ buckets, groupType }: GroupMod): GroupMod['buckets'] {
  return buckets.map((bucket, index) => ({
    ...bucket,
    bucketId: bucket.bucketId ?? index,
    weight: groupType === 'select' ? bucket.weight : null,
  }));
}

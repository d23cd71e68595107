// One OpenFlow connection to a bridge, made ready for our purposes: who we are, in which form packet-ins come, what we
// want to hear of. It lives until the bridge or the connection goes; bridge-session.ts has another one made then.

import type { Duplex } from 'node:stream';
import type { RegisterBit } from '../config/settings.ts';
import type { PoolCounters } from '../flow/sampler.ts';
import {
  type ByteSource,
  type FlowMonitorEvent,
  type FlowStats,
  type FlowUpdate,
  flowMonitorRequest,
  flowStatsRequest,
  type MeterConfig,
  OpenFlowConnection,
  type OpenFlowMessage,
  OpenFlowRequestError,
  type OpenFlowVersion,
  PACKET_IN_FORMATS,
  type PacketInView,
  REQUEST_FORWARD_REASONS,
  versionName,
} from '../node-openflow/index.ts';
import type { KeptSession, SessionEnd } from '../runtime/keeper.ts';
import type { Logger } from '../runtime/log.ts';
import { CONTROLLER_ID, HOOK_TABLE, type HookPlace, hookMatch, isAtHookPlace } from './hook.ts';
import { type MeterIds, meterIds } from './meter.ts';

export interface BridgeConnectionOptions {
  readonly bridge: string;
  /** Where the stream's bytes come from, when it has no 'data' events. */
  readonly source?: ByteSource;
  readonly mark: RegisterBit;
  readonly log: Logger;
  /** Called for each packet-in; the view is only good until the call returns. */
  readonly onPacketIn: (packetIn: PacketInView) => void;
  /** Versions of OpenFlow to offer. */
  readonly versions: readonly OpenFlowVersion[];
  /** Somebody has changed a meter or a group. */
  readonly onTouched: (what: 'meter' | 'group') => void;
  /** What monitors tell: of flows at the hook's place, and once `watchFlows` has been called of all flows. */
  readonly onFlowEvents: (events: readonly FlowMonitorEvent[]) => void;
}

/** What was seen of ours in the switch. */
export interface ObservedSwitch {
  /** The flow that has the hook's place, whatever it does. */
  readonly hook: FlowStats | undefined;
  readonly hookMeter: MeterConfig | undefined;
  readonly sampleMeter: MeterConfig | undefined;
}

/** The ids of our flow monitors on a connection: of the hook's place, and of all flows. */
const HOOK_MONITOR_ID = 1;
const FLOWS_MONITOR_ID = 2;
/** Reasons for packet-ins in the async mask: actions in a table's flow, and from OpenFlow 1.4 on in action sets, groups and packet-outs. */
const ACTION_REASONS = 0b10;
const ACTION_REASONS_14 = 0b11_1010;
/** Not 0, for 0 asks for no asynchronous message at all; no packet of a table miss comes to our controller id. */
const MISS_SEND_LENGTH = 128;

export class BridgeConnection implements KeptSession {
  readonly ended: Promise<SessionEnd>;
  /** Whether the switch tells us of changes to flows; without it we look once a second. */
  hasMonitor = false;
  /** For the parts that speak OpenFlow themselves. */
  readonly openflow: OpenFlowConnection;
  /** Whether `watchFlows` has been called. */
  isWatchingFlows = false;
  /** The ids of our meters on this bridge. */
  meters: MeterIds = { hook: undefined, sample: undefined };
  readonly #options: BridgeConnectionOptions;
  #place: HookPlace;

  /** Negotiates and sets up; rejects with what the switch refused. */
  static async open(stream: Duplex, options: BridgeConnectionOptions): Promise<BridgeConnection> {
    const connection = new BridgeConnection(stream, options);
    try {
      await connection.#setUp();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private constructor(stream: Duplex, options: BridgeConnectionOptions) {
    this.#options = options;
    this.#place = { mark: options.mark, version: 1, meterId: undefined };
    this.openflow = new OpenFlowConnection(stream, {
      ...(options.source === undefined ? {} : { source: options.source }),
      versions: options.versions,
      onPacketIn: options.onPacketIn,
      onMessage: (message) => this.#receive(message),
    });
    this.ended = this.openflow.ended.then((end) =>
      end.reason === 'closed' ? {} : { error: end.error ?? new Error(end.message) },
    );
  }

  get receivedBytes(): number {
    return this.openflow.receivedBytes;
  }

  /** The version in use, as people write it. */
  get protocol(): string {
    const { version } = this.openflow.status();
    return version === null ? 'no version' : versionName(version);
  }

  /** The mark, and the id that the hook's meter has on this bridge. */
  get place(): HookPlace {
    return this.#place;
  }

  probe(): Promise<void> {
    return this.openflow.probe();
  }

  close(reason?: Error): void {
    this.openflow.close(reason?.message);
  }

  /** What the switch has at the hook's place and under the ids of our meters. */
  async observe(): Promise<ObservedSwitch> {
    const reply = await this.openflow.request({
      type: 'flow_stats_request',
      ...flowStatsRequest({ tableId: HOOK_TABLE, match: hookMatch(this.#place.mark) }),
    });
    const hook = reply.entries.find((entry) => isAtHookPlace(entry, this.#place.mark));
    const hookMeter = await this.#observeMeter(this.meters.hook);
    return { hook, hookMeter, sampleMeter: await this.#observeMeter(this.meters.sample) };
  }

  /** All flows with their actions: at once, and from then on each change where there are flow monitors. */
  async watchFlows(): Promise<readonly FlowMonitorEvent[]> {
    this.isWatchingFlows = true;
    if (!this.hasMonitor) {
      return this.dumpFlows();
    }
    const reply = await this.openflow.request({
      type: 'flow_monitor_request',
      ...flowMonitorRequest({
        monitorId: FLOWS_MONITOR_ID,
        flags: { ...CHANGES, initial: true, actions: true },
      }),
    });
    return reply.entries;
  }

  /** All flows, where nobody tells of their changes. */
  async dumpFlows(): Promise<readonly FlowUpdate[]> {
    const reply = await this.openflow.request({ type: 'flow_stats_request', ...flowStatsRequest() });
    return reply.entries.map((flow) => ({ event: 'initial', reason: 0, ...flow }));
  }

  /** Sends messages and a barrier, and rejects when the switch refuses one: `what` was being done. */
  async apply(what: string, messages: readonly OpenFlowMessage[]): Promise<void> {
    const [error] = await this.openflow.transact(messages);
    if (error !== undefined) {
      throw new Error(`Bridge ${this.#options.bridge} refused to ${what}: ${error.message}`, {
        cause: error,
      });
    }
  }

  /** What a meter has counted; undefined when the bridge has no meters or the meter is gone. */
  async pool(meterId: number | undefined): Promise<PoolCounters | undefined> {
    if (meterId === undefined) {
      return undefined;
    }
    const stats = await orUndefinedIfRefused(this.openflow.request({ type: 'meter_stats_request', meterId }));
    const meter = stats?.entries.find((entry) => entry.meterId === meterId);
    return (
      meter && {
        packets: meter.packetCount,
        octets: meter.byteCount,
        dropped: meter.bands[0]?.packetCount ?? 0n,
      }
    );
  }

  async #setUp(): Promise<void> {
    const version = await this.openflow.ready;
    // The flags of the configuration belong to the bridge and not to us: they are sent back as they are.
    const config = await this.openflow.request({ type: 'get_config_request' });
    await this.apply('set up our connection', [
      { type: 'set_controller_id', controllerId: CONTROLLER_ID },
      { type: 'set_packet_in_format', format: PACKET_IN_FORMATS.nxtPacketIn2 },
      ...(version === 1 ? [{ type: 'flow_mod_table_id', enabled: true } as const] : []),
      { type: 'set_config', flags: config.flags, missSendLength: MISS_SEND_LENGTH },
      { type: 'set_async', ...asyncConfig(version >= 5) },
    ]);
    if (version === 4) {
      await this.#try('hear of changed meters', { type: 'set_async_config2', ...requestForwards });
    }
    const features =
      version === 1
        ? undefined
        : await orUndefinedIfRefused(this.openflow.request({ type: 'meter_features_request' }));
    this.meters = meterIds(features?.meterCountMax ?? 0);
    this.#place = { mark: this.#place.mark, version, meterId: this.meters.hook };
    this.hasMonitor = await this.#startMonitor();
  }

  async #startMonitor(): Promise<boolean> {
    const reply = await orUndefinedIfRefused(
      this.openflow.request({
        type: 'flow_monitor_request',
        ...flowMonitorRequest({
          monitorId: HOOK_MONITOR_ID,
          flags: CHANGES,
          tableId: HOOK_TABLE,
          match: hookMatch(this.#place.mark),
        }),
      }),
    );
    if (reply === undefined) {
      this.#options.log.info(
        `bridge ${this.#options.bridge}: no flow monitor in ${this.protocol}; looking each second`,
      );
    }
    return reply !== undefined;
  }

  async #observeMeter(meterId: number | undefined): Promise<MeterConfig | undefined> {
    if (meterId === undefined) {
      return undefined;
    }
    const reply = await orUndefinedIfRefused(
      this.openflow.request({ type: 'meter_config_request', meterId }),
    );
    return reply?.entries.find((entry) => entry.meterId === meterId);
  }

  /** For what an older OVS may lack and we can do without. */
  async #try(what: string, message: OpenFlowMessage): Promise<void> {
    const [error] = await this.openflow.transact([message]);
    if (error !== undefined) {
      this.#options.log.debug(`bridge ${this.#options.bridge}: cannot ${what}: ${error.message}`);
    }
  }

  #receive(message: OpenFlowMessage): void {
    switch (message.type) {
      case 'flow_monitor_update':
        this.#options.onFlowEvents(message.entries);
        return;
      // OpenFlow 1.0 and 1.3 say so by messages of their own; since 1.4 these are events like the others.
      case 'flow_monitor_paused':
        this.#options.onFlowEvents([{ event: 'paused' }]);
        return;
      case 'flow_monitor_resumed':
        this.#options.onFlowEvents([{ event: 'resumed' }]);
        return;
      case 'requestforward':
        this.#options.onTouched(message.request.type === 'group_mod' ? 'group' : 'meter');
        return;
      case 'error':
        this.#options.log
          .limited('error')
          .warn(`bridge ${this.#options.bridge}: ${message.name} for nothing we wait for`);
        return;
      default:
        return;
    }
  }
}

/** Changes by others; our own come as a mere notice. */
const CHANGES = { initial: false, add: true, delete: true, modify: true, actions: false, own: false };
const FORWARDED = REQUEST_FORWARD_REASONS.meterMod | REQUEST_FORWARD_REASONS.groupMod;
const requestForwards = { requestForward: { active: FORWARDED, secondary: 0 } };

/** Packet-ins of actions and forwarded meter mods, and none of the rest. */
function asyncConfig(isPropertyForm: boolean) {
  const reasons = isPropertyForm ? ACTION_REASONS_14 : ACTION_REASONS;
  return {
    packetIn: { active: reasons, secondary: reasons },
    portStatus: { active: 0, secondary: 0 },
    flowRemoved: { active: 0, secondary: 0 },
    ...(isPropertyForm ? requestForwards : {}),
  };
}

/** The reply, or undefined when the switch refused the request; any other failure is passed on. */
async function orUndefinedIfRefused<Reply>(reply: Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof OpenFlowRequestError) {
      return undefined;
    }
    throw error;
  }
}

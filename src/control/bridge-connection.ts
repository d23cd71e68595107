// The main OpenFlow connection to a bridge, set up for the daemon: controller id, packet-in format, asynchronous messages,
// meters, and the flow monitor where the switch has one in this version. It ends with the stream; bridge-session.ts opens the
// next one.

import type { Duplex } from 'node:stream';
import type { RegisterBit } from '../config/settings.ts';
import type { MeterCounters } from '../intake/meter-ledger.ts';
import {
  type ByteSource,
  type FlowMonitorEvent,
  type FlowStats,
  type FlowUpdate,
  flowStatsRequest,
  type MeterConfig,
  type OpenFlowConnection,
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
import { FLOWS_MONITOR, flowEventsOf, HOOK_MONITOR, monitorRequest } from './flow-monitors.ts';
import { CONTROLLER_ID, HOOK_COOKIE, HOOK_TABLE, type HookSlot, hookMatch, isInHookSlot } from './hook.ts';
import { LeadingConnection } from './leading-connection.ts';
import { type MeterIds, meterIds } from './meter.ts';
import {
  canMonitorFlows,
  parseSwitchVersion,
  type SwitchVersion,
  showsWholeFlows,
} from './switch-version.ts';

export interface BridgeConnectionOptions {
  readonly bridge: string;
  /** The source of the stream's bytes, if it emits no 'data' events. */
  readonly source?: ByteSource;
  readonly mark: RegisterBit;
  readonly log: Logger;
  /** See `Leadership.isLeading`. */
  readonly isLeading: () => boolean;
  /** Called for each packet-in; the view is only valid until the call returns. */
  readonly onPacketIn: (packetIn: PacketInView) => void;
  /** Called with the id when another client has modified a meter. */
  readonly onMeterModified: (meterId: number) => void;
  /** Called when another client has modified a group. */
  readonly onGroupModified: () => void;
  /** Called with the events of flow monitors: of the hook's slot, and once `watchFlows` has been called of all flows. */
  readonly onFlowEvents: (events: readonly FlowMonitorEvent[]) => void;
}

/** The flow in the hook's slot and the meters with the daemon's ids. */
export interface ObservedSwitch {
  /** The flow in the hook's slot, whatever its actions. */
  readonly hook: FlowStats | undefined;
  readonly hookMeter: MeterConfig | undefined;
  readonly sampleMeter: MeterConfig | undefined;
}

/**
 * OpenFlow versions in order of preference: 1.4 and 1.3 show rewritten flows as their writer wrote them, 1.5 shows load as
 * set_field, and 1.0 has no meters and hides parts of flows.
 */
const VERSION_PREFERENCE: readonly OpenFlowVersion[] = [5, 4, 6, 1];
/** The async mask's bit of packet-ins by actions; since OpenFlow 1.4 also by action sets, groups and packet-outs. */
const ACTION_REASONS = 0b10;
const ACTION_REASONS_14 = 0b11_1010;
/** Selects flows with exactly the cookie. */
const COOKIE_MASK_ALL = 0xffff_ffff_ffff_ffffn;
/** Not 0, which would disable all asynchronous messages. Table misses are not sent to the daemon's controller id. */
const MISS_SEND_LENGTH = 128;

export class BridgeConnection implements KeptSession {
  readonly ended: Promise<SessionEnd>;
  /** Whether this connection has a flow monitor; otherwise changes are read from a monitor connection or by polling. */
  hasMonitor = false;
  /** For parts that send OpenFlow messages themselves. */
  readonly openflow: OpenFlowConnection;
  /** Whether `watchFlows` has been called. */
  isWatchingFlows = false;
  /** The ids of the daemon's meters on this bridge. */
  meters: MeterIds = { hook: undefined, sample: undefined };
  /** The version of Open vSwitch; undefined if the description does not have it. */
  switchVersion: SwitchVersion | undefined;
  readonly #options: BridgeConnectionOptions;
  #isMonitorPaused = false;
  #slot: HookSlot;
  #onMismatchedError: () => void = () => {};

  /** Negotiates a version and sets up the connection; rejects with the switch's refusal. */
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
    this.#slot = { mark: options.mark, version: 1, meterId: undefined };
    this.openflow = new LeadingConnection(stream, options.isLeading, {
      ...(options.source === undefined ? {} : { source: options.source }),
      preference: VERSION_PREFERENCE,
      onPacketIn: options.onPacketIn,
      onMessage: (message) => this.#receive(message),
      onMismatchedError: (report, version) => {
        options.log
          .limited('mismatched error')
          .info(
            `bridge ${options.bridge}: ${report.name} in ${versionName(version)} does not belong to a request`,
          );
        this.#onMismatchedError();
      },
    });
    this.ended = this.openflow.ended.then((end) =>
      end.reason === 'closed' ? {} : { error: end.error ?? new Error(end.message) },
    );
  }

  get receivedBytes(): number {
    return this.openflow.receivedBytes;
  }

  /** Whether a change of the hook is reported before the answer to a request that follows the change. */
  get reportsChanges(): boolean {
    return this.hasMonitor && !this.#isMonitorPaused;
  }

  /** The negotiated OpenFlow version as text: "OpenFlow 1.4". */
  get protocol(): string {
    const { version } = this.openflow.status();
    return version === null ? 'no version' : versionName(version);
  }

  /** Whether flows read over this connection are whole, so that they may be rewritten. */
  get showsWholeFlows(): boolean {
    return showsWholeFlows(this.#slot.version);
  }

  /** Whether the bridge allows an OpenFlow version besides the negotiated one. */
  allows(version: OpenFlowVersion): boolean {
    return this.openflow.status().peerVersions.includes(version);
  }

  /** The hook's slot, and the id of its meter on this bridge. */
  get slot(): HookSlot {
    return this.#slot;
  }

  probe(): Promise<void> {
    return this.openflow.probe();
  }

  close(reason?: Error): void {
    this.openflow.close(reason?.message);
  }

  /** Reads the hook's slot and the daemon's meters: three requests. */
  async observe(): Promise<ObservedSwitch> {
    const hook = await this.observeHook();
    const hookMeter = await this.observeMeter(this.meters.hook);
    return { hook, hookMeter, sampleMeter: await this.observeMeter(this.meters.sample) };
  }

  /** Reads the flow in the hook's slot. */
  async observeHook(): Promise<FlowStats | undefined> {
    return this.#readHookSlot({ match: hookMatch(this.#slot.mark) });
  }

  /** Reads the packets of the hook; undefined if the daemon's is not installed. By its cookie, of which OVS has an index. */
  async readHookPackets(): Promise<bigint | undefined> {
    const hook = await this.#readHookSlot({ cookie: HOOK_COOKIE, cookieMask: COOKIE_MASK_ALL });
    return hook?.packetCount;
  }

  /**
   * Reads the number of packets that ovs-vswitchd has sampled for a collector set of the bridge; undefined if it has no exporter for
   * it, or is older than these statistics.
   */
  async readSampledCount(collectorSetId: number): Promise<bigint | undefined> {
    const reply = await orUndefinedIfRefused(this.openflow.request({ type: 'ipfix_flow_stats_request' }));
    return reply?.entries.find((entry) => entry.collectorSetId === collectorSetId)?.sampledCount;
  }

  /** Reads the flow in the hook's slot, if it is among those that are selected. */
  async #readHookSlot(selection: Parameters<typeof flowStatsRequest>[0]): Promise<FlowStats | undefined> {
    const reply = await this.openflow.request({
      type: 'flow_stats_request',
      ...flowStatsRequest({ tableId: HOOK_TABLE, ...selection }),
    });
    return reply.entries.find((entry) => isInHookSlot(entry, this.#slot.mark));
  }

  /** Reads a meter; undefined if it does not exist or the bridge has no meters. */
  async observeMeter(meterId: number | undefined): Promise<MeterConfig | undefined> {
    if (meterId === undefined) {
      return undefined;
    }
    const request = this.openflow.request({ type: 'meter_config_request', meterId });
    const reply = await orUndefinedIfRefused(request);
    return reply?.entries.find((entry) => entry.meterId === meterId);
  }

  /** Returns all flows with their instructions; from then on each change is reported if this connection has a monitor. */
  async watchFlows(): Promise<readonly FlowMonitorEvent[]> {
    this.isWatchingFlows = true;
    if (!this.hasMonitor) {
      return this.dumpFlows();
    }
    const reply = await this.openflow.request(monitorRequest(FLOWS_MONITOR, { initial: true }));
    return reply.entries;
  }

  /** Returns all flows with their instructions, or those that are selected. */
  async dumpFlows(selection: Parameters<typeof flowStatsRequest>[0] = {}): Promise<readonly FlowUpdate[]> {
    const reply = await this.openflow.request({
      type: 'flow_stats_request',
      ...flowStatsRequest(selection),
    });
    return reply.entries.map((flow) => ({ event: 'initial', reason: 0, ...flow }));
  }

  /** Sends messages and a barrier; rejects when the switch refuses one, with `what` in the message. */
  async apply(what: string, messages: readonly OpenFlowMessage[]): Promise<void> {
    const [error] = await this.openflow.transact(messages);
    if (error !== undefined) {
      throw new Error(`Bridge ${this.#options.bridge} refused to ${what}: ${error.message}`, {
        cause: error,
      });
    }
  }

  /**
   * Reads the counters of a meter, and passes them to `onCounters` before any packet-in that the switch sent later is handled.
   * Returns false if the meter does not exist.
   */
  async readPool(meterId: number, onCounters: (counters: MeterCounters) => void): Promise<boolean> {
    let exists = false;
    const request = { type: 'meter_stats_request', meterId } as const;
    const reply = this.openflow.request(request, ({ entries }) => {
      const meter = entries.find((entry) => entry.meterId === meterId);
      if (meter !== undefined) {
        exists = true;
        onCounters({
          packets: meter.packetCount,
          octets: meter.byteCount,
          dropped: meter.bands[0]?.packetCount ?? 0n,
          droppedOctets: meter.bands[0]?.byteCount ?? 0n,
        });
      }
    });
    await orUndefinedIfRefused(reply);
    return exists;
  }

  async #setUp(): Promise<void> {
    const version = await this.openflow.ready;
    const description = await orUndefinedIfRefused(this.openflow.request({ type: 'desc_request' }));
    this.switchVersion = parseSwitchVersion(description?.software ?? '');
    // The flags of the configuration belong to the bridge, not to this connection: they are sent back unchanged.
    const config = await this.openflow.request({ type: 'get_config_request' });
    await this.apply('set up the connection', [
      { type: 'set_controller_id', controllerId: CONTROLLER_ID },
      { type: 'set_packet_in_format', format: PACKET_IN_FORMATS.nxtPacketIn2 },
      ...(version === 1 ? [{ type: 'flow_mod_table_id', enabled: true } as const] : []),
      { type: 'set_config', flags: config.flags, missSendLength: MISS_SEND_LENGTH },
      { type: 'set_async', ...asyncConfig(version >= 5) },
    ]);
    if (version === 4) {
      await this.#try('be notified of modified meters', { type: 'set_async_config2', ...requestForwards });
    }
    const features =
      version === 1
        ? undefined
        : await orUndefinedIfRefused(this.openflow.request({ type: 'meter_features_request' }));
    this.meters = meterIds(features?.meterCountMax ?? 0);
    this.#slot = { mark: this.#slot.mark, version, meterId: this.meters.hook };
    this.hasMonitor = canMonitorFlows(version, this.switchVersion) && (await this.#startMonitor());
  }

  /** Starts the hook's monitor. An unknown switch may answer like OVS before 3.0, with an error of another transaction id. */
  async #startMonitor(): Promise<boolean> {
    const mismatchedError = new Promise<undefined>((resolve) => {
      this.#onMismatchedError = () => resolve(undefined);
    });
    const request = this.openflow.request(
      monitorRequest(HOOK_MONITOR, { match: hookMatch(this.#slot.mark) }),
    );
    const reply = await Promise.race([orUndefinedIfRefused(request), mismatchedError]);
    this.#onMismatchedError = () => {};
    return reply !== undefined;
  }

  /** Sends an optional message, which an older OVS may refuse. */
  async #try(what: string, message: OpenFlowMessage): Promise<void> {
    const [error] = await this.openflow.transact([message]);
    if (error !== undefined) {
      this.#options.log.debug(`bridge ${this.#options.bridge}: cannot ${what}: ${error.message}`);
    }
  }

  #receive(message: OpenFlowMessage): void {
    const events = flowEventsOf(message);
    if (events !== undefined) {
      for (const { event } of events) {
        this.#isMonitorPaused = event === 'paused' || (this.#isMonitorPaused && event !== 'resumed');
      }
      this.#options.onFlowEvents(events);
      return;
    }
    switch (message.type) {
      case 'requestforward':
        if (message.request.type === 'meter_mod') {
          this.#options.onMeterModified(message.request.meterId);
        } else if (message.request.type === 'group_mod') {
          this.#options.onGroupModified();
        }
        return;
      case 'error':
        this.#options.log
          .limited('error')
          .warn(`bridge ${this.#options.bridge}: ${message.name} does not belong to a request`);
        return;
      default:
        return;
    }
  }
}

const FORWARDED = REQUEST_FORWARD_REASONS.meterMod | REQUEST_FORWARD_REASONS.groupMod;
const requestForwards = { requestForward: { active: FORWARDED, secondary: 0 } };

/** Enables packet-ins of actions and forwarded requests, and no other messages. */
function asyncConfig(isPropertyForm: boolean) {
  const reasons = isPropertyForm ? ACTION_REASONS_14 : ACTION_REASONS;
  return {
    packetIn: { active: reasons, secondary: reasons },
    portStatus: { active: 0, secondary: 0 },
    flowRemoved: { active: 0, secondary: 0 },
    ...(isPropertyForm ? requestForwards : {}),
  };
}

/** Resolves to the reply, or to undefined if the switch refused the request; rejects with any other failure. */
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

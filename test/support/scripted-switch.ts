// A scripted OpenFlow switch for unit tests: no Open vSwitch, no sockets, no real time. It imitates the behaviour of Open
// vSwitch that a controller depends on (the files of scripted-switch/), can behave as another version or fail, and records
// messages and changes in a transcript, for tests to compare.
//
//     const clock = new ManualClock();
//     const ofswitch = new ScriptedSwitch({ clock });
//     const connection = new OpenFlowConnection(await ofswitch.dial());
//     ofswitch.behaviour.monitors = 'OpenFlow 1.0 only';
//     ofswitch.fail({ type: 'flow_mod', action: 'refuse', errorName: 'OFPFMFC_TABLE_FULL', times: 1 });
//     await clock.advanceMs(30_000);
//     assert.deepEqual(ofswitch.takeTranscript(/^switch:/), [ ... ]);
//
// Everything that is due runs in one turn of the event loop: `await clock.advanceMs(0)` completes a whole dialogue.
//
// A line of the transcript is one of
//     1 <- flow_mod add table=0,priority=5 actions=drop      connection 1 sent it
//     1 -> barrier_reply                                     the switch sent it
//     1 speaks OpenFlow 1.4 | opened | closed by the client | ended by the switch
//     switch: added table=0,priority=5                       a flow, meter or group changed

import {
  isOpenFlowVersion,
  type OpenFlowMessage,
  type OpenFlowMessageType,
  type OpenFlowVersion,
  PACKET_IN_FORMATS,
} from '../../src/node-openflow/index.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { type Fault, Refusal, type SwitchBehaviour } from './scripted-switch/behaviour.ts';
import { formatFlow, type SwitchFlow } from './scripted-switch/flow-table.ts';
import { formatMeter } from './scripted-switch/message-text.ts';
import { packetIn2, type SwitchPacketIn, type SwitchPort } from './scripted-switch/replies.ts';
import { SwitchConnection } from './scripted-switch/switch-connection.ts';
import { SwitchState } from './scripted-switch/switch-state.ts';

export type { Fault, SwitchBehaviour } from './scripted-switch/behaviour.ts';
export type { SwitchConnection } from './scripted-switch/switch-connection.ts';

export interface ScriptedSwitchOptions {
  /** For timeouts and ages. */
  readonly clock: Clock;
  readonly ports?: readonly SwitchPort[];
  /** Differences from Open vSwitch 3.1. */
  readonly behaviour?: Partial<SwitchBehaviour>;
}

export class ScriptedSwitch {
  /** Can be assigned at any time. */
  readonly behaviour: SwitchBehaviour;
  readonly #state: SwitchState;
  #dialCount = 0;

  constructor({ clock, ports, behaviour }: ScriptedSwitchOptions) {
    this.#state = new SwitchState(clock);
    this.#state.ports = ports ?? [];
    this.behaviour = this.#state.behaviour;
    Object.assign(this.behaviour, behaviour);
  }

  /** Connects, like `dial` of src/runtime/endpoint.ts; rejects with ECONNREFUSED while the switch does not listen. */
  async dial(): Promise<SwitchConnection> {
    if (!this.behaviour.isListening) {
      this.#state.note('dialling refused');
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    }
    return this.connect();
  }

  /** Connects synchronously. */
  connect(): SwitchConnection {
    this.#dialCount += 1;
    this.#state.note(`${this.#dialCount} opened`);
    const connection = new SwitchConnection(this.#dialCount, this.#state);
    this.#state.connections.add(connection);
    return connection;
  }

  /** The open connections, oldest first. */
  get connections(): readonly SwitchConnection[] {
    return [...this.#state.connections];
  }

  /** Number of successful connections. */
  get dialCount(): number {
    return this.#dialCount;
  }

  // Faults

  /** Adds a fault of messages of a type. The first fault that matches a message applies. */
  fail(fault: Fault): void {
    this.#state.faults.add(fault);
  }

  /** Removes all faults. */
  recover(): void {
    this.#state.faults.clear();
  }

  /** Holds the replies to messages of these types, or all replies, until `release`. Messages take effect nevertheless. */
  hold(...types: readonly OpenFlowMessageType[]): void {
    this.#state.hold(types.length === 0 ? 'everything' : new Set(types));
  }

  /** Sends the held replies, in order, and holds no more. */
  release(): void {
    this.#state.hold('nothing');
    for (const connection of this.connections) {
      connection.releaseHeld();
    }
  }

  /** Reads what clients have written while `behaviour.isReading` was false. */
  read(): void {
    this.behaviour.isReading = true;
    for (const connection of this.connections) {
      connection.resumeReading();
    }
  }

  /** Closes the given connections, or all. */
  hangUp(...connections: readonly SwitchConnection[]): void {
    for (const connection of connections.length === 0 ? this.connections : connections) {
      connection.hangUp();
    }
  }

  /** Imitates a restart of ovs-vswitchd: connections end, meters are lost, and flows and groups unless they are saved. */
  restart(keeps: 'nothing' | 'flows' = 'nothing'): void {
    this.#state.note(`switch: restarted, keeping ${keeps}`);
    this.#state.clear(keeps);
  }

  /** Sends an echo request of another version on all connections. */
  speakVersion(version: number): void {
    for (const connection of this.connections) {
      const bytes = Buffer.from([version, 2, 0, 8, 0, 0, 0, 0]);
      if (isOpenFlowVersion(version)) {
        connection.sendBytes(bytes);
      } else {
        connection.sendRaw(bytes, `echo_request of version ${version}`);
      }
    }
  }

  /** Sends bytes that are not an OpenFlow message on all connections; by default the header's length is too small. */
  sendGarbage(bytes: Buffer = Buffer.from('04ff000100000000', 'hex')): void {
    for (const connection of this.connections) {
      connection.sendRaw(bytes, `garbage ${bytes.toString('hex')}`);
    }
  }

  /** Pauses the flow monitors of all connections, as if they did not read. */
  pauseMonitors(): void {
    for (const connection of this.connections) {
      connection.sendBytes(...(connection.monitors?.pause() ?? []));
    }
  }

  /** Resumes the flow monitors, which report the changes since the pause first. */
  resumeMonitors(): void {
    for (const connection of this.connections) {
      connection.sendBytes(...(connection.monitors?.resume() ?? []));
    }
  }

  // Packets

  /** Sends a packet-in to the connections with that controller id that have enabled packet-ins; returns how many. */
  sendPacketIn(packet: SwitchPacketIn): number {
    const takers = this.connections.filter(({ settings, version }) => {
      const reasons = settings.asyncConfig.packetIn?.active ?? 0xff;
      const isAsked = settings.missSendLength > 0 && (reasons & 0b10) !== 0;
      const isReadable = settings.packetInFormat === PACKET_IN_FORMATS.nxtPacketIn2;
      return version !== undefined && isAsked && isReadable && settings.controllerId === packet.controllerId;
    });
    for (const connection of takers) {
      const bytes = packetIn2(connection.version ?? 1, packet);
      connection.sendRaw(bytes, `packet_in2 of ${packet.frame.length} bytes`);
    }
    return takers.length;
  }

  /** Sends the packet-in `count` times. */
  flood(count: number, packet: SwitchPacketIn): void {
    for (let sent = 0; sent < count; sent += 1) {
      this.sendPacketIn(packet);
    }
  }

  /** Increases a meter's counters: packets, and those of them that it dropped. */
  countPackets(meterId: number, packets: number, droppedPackets = 0, bytesPerPacket = 100): void {
    const meter = this.#state.meters.get(meterId);
    if (meter === undefined) {
      throw new Error(`The scripted switch has no meter ${meterId}.`);
    }
    meter.packetCount += BigInt(packets);
    meter.byteCount += BigInt(packets * bytesPerPacket);
    meter.droppedPackets += BigInt(droppedPackets);
    meter.droppedBytes += BigInt(droppedPackets * bytesPerPacket);
  }

  // The switch's state, and other clients of it

  /** Applies a flow, meter or group mod of another client; returns the name of the error if it is refused. */
  doAsAnother(
    message: Extract<OpenFlowMessage, { readonly type: 'flow_mod' | 'meter_mod' | 'group_mod' }>,
  ): string | undefined {
    this.#state.note(`another client: ${message.type} ${message.command}`);
    try {
      if (message.type === 'flow_mod') {
        this.#state.applyFlowMod(message);
      } else if (message.type === 'meter_mod') {
        this.#state.applyMeterMod(message, undefined);
      } else {
        this.#state.applyGroupMod(message, undefined);
      }
      return undefined;
    } catch (error) {
      if (error instanceof Refusal) {
        return error.errorName;
      }
      throw error;
    } finally {
      this.#state.flushMonitors();
    }
  }

  /** The flows, whose counters a test may change. */
  get flowTable(): readonly SwitchFlow[] {
    return this.#state.flowTable.flows;
  }

  /** Returns the flows in ovs-ofctl's syntax, in alphabetical order. */
  flows(): string[] {
    return this.#state.flowTable.flows.map(formatFlow).sort();
  }

  meters(): string[] {
    return [...this.#state.meters.values()].map(formatMeter).sort();
  }

  /** Returns the ids of the groups. */
  groups(): number[] {
    return [...this.#state.groups.keys()].sort((a, b) => a - b);
  }

  /** Returns the versions of the open connections, by number of connection. */
  versions(): ReadonlyMap<number, OpenFlowVersion | undefined> {
    return new Map(this.connections.map(({ number, version }) => [number, version]));
  }

  /** Returns the lines of the transcript since the last call that match; the other lines are discarded. */
  takeTranscript(pattern = /^/): string[] {
    return this.#state.transcript.splice(0).filter((line) => pattern.test(line));
  }
}

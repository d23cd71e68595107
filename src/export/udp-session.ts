// A collector over UDP (RFC 7011, section 10.3): one connected socket, so that the kernel reports ICMP errors and needs no
// route lookup per message. No fault of the collector ends the session: errors are counted, a host name that does not resolve
// is resolved again, and messages that do not fit into the backlog are dropped and counted. An error at one address of a name
// leads to the next one.

import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { codeOf } from '../runtime/error-code.ts';
import { socketGate } from '../runtime/socket-gate.ts';
import type { CollectorTarget, SessionListener, SessionStatus } from './collector-session.ts';
import { faultText } from './fault-text.ts';
import { PathHealth } from './path-health.ts';
import type { Path, PathMtus } from './path-mtu.ts';
import { SentWindow } from './sent-window.ts';
import {
  SESSION_DEFAULTS,
  SocketSession,
  type SocketSessionOptions,
  type SocketSessionParts,
} from './socket-session.ts';
import { bindSocket, sourceFor } from './source-binding.ts';

/** A resolved host; `family` is 4 or 6. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Limits and intervals of a UDP session. */
export interface UdpSessionOptions extends SocketSessionOptions {
  /** The kernel's send buffer in bytes; the kernel caps it (net.core.wmem_max). */
  readonly sendBufferBytes: number;
  /** How often a host name is resolved again while connected. */
  readonly resolveIntervalMs: number;
  /** The shortest time between two errors for which a host name is resolved again. */
  readonly resolvePauseMs: number;
  /** How long no error must follow a message until a failing collector is open again. */
  readonly recoveryMs: number;
}

export const UDP_SESSION_DEFAULTS: UdpSessionOptions = {
  ...SESSION_DEFAULTS,
  sendBacklogMax: 1024,
  sendBufferBytes: 1_048_576,
  resolveIntervalMs: 300_000,
  resolvePauseMs: 1000,
  // Linux reports a host that does not answer ARP after 3 s.
  recoveryMs: 5000,
};

/**
 * Messages of a turn of the event loop are sent this many at a time: a collector on the same machine is woken once for all of them
 * instead of for each, which takes as long as the rest of a message. They are few, so that a collector's buffer has room for them.
 */
const TOGETHER_COUNT = 32;

/** What a UDP session needs from outside. */
export interface UdpSessionParts extends SocketSessionParts {
  /** Returns all addresses of a host, the preferred one first. Default: the system's resolver. */
  readonly lookup?: (host: string) => Promise<readonly ResolvedAddress[]>;
}

export class UdpSession extends SocketSession {
  readonly isReliable = false;
  protected readonly transport = 'udp';
  readonly #options: UdpSessionOptions;
  readonly #lookup: (host: string) => Promise<readonly ResolvedAddress[]>;
  readonly #pathMtus: PathMtus | undefined;
  /** The path of the connection, of the last one, or of the attempt. */
  #path: Path | undefined;
  #health: PathHealth;
  readonly #window: SentWindow;
  #socket: Socket | undefined;
  #isSendPlanned = false;
  /** Created once, because a function that creates a closure allocates with each call. */
  readonly #turnEnds = (): void => {
    this.#isSendPlanned = false;
    this.#sendWaiting();
  };
  #onSent: ((error: Error | null) => void) | undefined;
  /** Grows whenever the connection changes; reports of an older one are ignored. */
  #generation = 0;
  #address: string | undefined;
  #sourceAddress: string | undefined;
  /** The addresses of the last answer. */
  #addresses: readonly ResolvedAddress[] = [];
  /** The address that the next attempt begins with; undefined: the first. */
  #preferred: string | undefined;
  /** Whether an error has scheduled a look-up, and when the last such look-up was. */
  #isResolveDue = false;
  #resolvedMs = Number.NEGATIVE_INFINITY;

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: UdpSessionParts,
    given: Partial<UdpSessionOptions> = {},
  ) {
    const options = { ...UDP_SESSION_DEFAULTS, ...given };
    super(target, listener, parts, options);
    this.#options = options;
    this.#lookup = parts.lookup ?? lookupAll;
    this.#pathMtus = parts.pathMtus;
    this.#health = new PathHealth(this.clock, options.recoveryMs);
    this.#window = new SentWindow(this.clock);
  }

  protected get address(): string | undefined {
    return this.#address;
  }

  protected get sourceAddress(): string | undefined {
    return this.#sourceAddress;
  }

  protected override get isFailing(): boolean {
    return this.#health.isFailing;
  }

  get messageBytesMax(): number | undefined {
    return this.#path?.messageBytesMax;
  }

  override status(): SessionStatus {
    return { ...super.status(), pathMtu: this.#path?.mtu };
  }

  protected connect(): void {
    // Messages that wait for the first connection fit all interfaces: which one they leave by is not known yet.
    if (this.#path === undefined) {
      this.#openPath(this.target.host, '');
    }
    void this.#resolveAndConnect();
  }

  protected handOver(): void {
    if (this.traffic.waitingCount >= TOGETHER_COUNT) {
      this.#sendWaiting();
    } else if (!this.#isSendPlanned) {
      this.#isSendPlanned = true;
      process.nextTick(this.#turnEnds);
    }
  }

  /** The socket sends in order and copies nothing. */
  #sendWaiting(): void {
    const socket = this.#socket;
    if (socket === undefined) {
      return;
    }
    for (let bytes = this.traffic.hand(); bytes !== undefined; bytes = this.traffic.hand()) {
      socket.send(bytes, this.#onSent);
    }
  }

  protected async close(): Promise<void> {
    this.#nextGeneration();
    const socket = this.#socket;
    this.#socket = undefined;
    this.#address = undefined;
    this.#sourceAddress = undefined;
    this.#path?.close();
    if (socket !== undefined) {
      await new Promise<void>((resolve) => {
        socket.close(resolve);
      });
    }
  }

  async #resolveAndConnect(): Promise<void> {
    const generation = this.#nextGeneration();
    try {
      this.#addresses = await this.#lookup(this.target.host);
      await socketGate.pass();
      if (generation === this.#generation) {
        await this.#connectToOne(generation);
      }
    } catch (error) {
      if (generation === this.#generation) {
        this.failed(error);
      }
    }
  }

  /** Connects to the first address that the system can send to, from the preferred one on; rejects with its last error. */
  async #connectToOne(generation: number): Promise<void> {
    const { port } = this.target;
    const begin = Math.max(0, this.#indexOf(this.#preferred));
    let lastError: unknown = new Error(`${this.target.host} has no address`);
    for (const resolved of [...this.#addresses.slice(begin), ...this.#addresses.slice(0, begin)]) {
      const socket = createSocket({
        type: resolved.family === 6 ? 'udp6' : 'udp4',
        sendBufferSize: this.#options.sendBufferBytes,
      });
      try {
        await bindSocket(socket, sourceFor(this.target, resolved));
        await connectSocket(socket, port, resolved.address);
      } catch (error) {
        socket.close();
        lastError = error;
        continue;
      }
      if (generation === this.#generation) {
        this.#useSocket(socket, resolved.address, generation);
      } else {
        socket.close();
      }
      return;
    }
    throw lastError;
  }

  #indexOf(address: string | undefined): number {
    return this.#addresses.findIndex((each) => each.address === address);
  }

  #useSocket(socket: Socket, address: string, generation: number): void {
    if (address !== this.#preferred) {
      this.#health = new PathHealth(this.clock, this.#options.recoveryMs);
    }
    this.#socket = socket;
    this.#address = address;
    this.#sourceAddress = socket.address().address;
    this.#preferred = address;
    this.#openPath(address, this.#sourceAddress);
    this.listener.messageBytesChanged?.();
    this.#isResolveDue = false;
    this.#onSent = (error) => {
      if (generation === this.#generation) {
        this.#sendEnded(error);
      }
    };
    socket.on('error', (error) => {
      if (generation === this.#generation) {
        this.#sendFailed(error);
      }
    });
    // A collector sends nothing; reading keeps the receive buffer from filling.
    socket.on('message', () => {});
    this.opened();
    if (this.#isName) {
      this.#scheduleResolve();
    }
  }

  #openPath(address: string, localAddress: string): void {
    this.#path?.close();
    this.#path = this.#pathMtus?.open(address, localAddress, () => this.#messageBytesChanged());
  }

  #messageBytesChanged(): void {
    const mtu = this.#path?.mtu ?? 'not known';
    this.log.info(
      `collector ${this.target.text}: path MTU ${mtu}, messages of ${this.messageBytesMax} bytes at most`,
    );
    this.listener.messageBytesChanged?.();
  }

  #sendEnded(error: Error | null): void {
    const { size, recordCount } = this.traffic.sent(error === null);
    if (error === null) {
      if (this.#health.isFailing) {
        this.traffic.countDeliveryUnknown(recordCount);
      } else {
        this.#window.add(recordCount);
      }
      this.#health.sent();
    } else {
      this.#sendFailed(error, size);
    }
  }

  /** ICMP errors arrive here as well: they are about a message that left earlier, and the socket keeps working. */
  #sendFailed(error: Error, size?: number): void {
    const code = codeOf(error);
    const text = faultText(error);
    this.traffic.countError(code, text);
    this.traffic.countDeliveryUnknown(this.#window.take());
    const isTooLong = code === 'EMSGSIZE';
    // The kernel reports a message that no packet can have at once, and with the next message that a router has refused one.
    if (isTooLong && (size ?? 0) <= (this.messageBytesMax ?? 0) && this.#path?.refused() === true) {
      return;
    }
    // A message that is too long says nothing about the collector; after any other error it may have restarted.
    if (!isTooLong) {
      this.listener.templatesDoubtful();
      this.#health.failed();
      this.#resolveAfterError();
    }
    const advice = isTooLong && size !== undefined ? `, size ${size}; lower --message-bytes-max` : '';
    this.log.warn(`collector ${this.target.text}: send failed: ${text}${advice}`);
  }

  get #isName(): boolean {
    return isIP(this.target.host) === 0;
  }

  #scheduleResolve(): void {
    this.setTimer(() => void this.#resolveAgain(false), this.#options.resolveIntervalMs);
  }

  /** Resolves a name again at once, but not more often than the pause allows. */
  #resolveAfterError(): void {
    if (!this.#isName || this.#isResolveDue || !this.isOpen) {
      return;
    }
    this.#isResolveDue = true;
    const dueMs = this.#resolvedMs + this.#options.resolvePauseMs - this.#nowMs();
    this.setTimer(() => {
      this.#resolvedMs = this.#nowMs();
      void this.#resolveAgain(true);
    }, dueMs);
  }

  #nowMs(): number {
    return this.clock.monotonicMicros() / 1000;
  }

  /**
   * Resolves the name again. Keeps an address that the name still has, and goes on to the next one after an error; keeps the
   * last addresses of a name that fails to resolve.
   */
  async #resolveAgain(isAfterError: boolean): Promise<void> {
    const generation = this.#generation;
    let addresses: readonly ResolvedAddress[] | undefined;
    try {
      addresses = await this.#lookup(this.target.host);
    } catch (error) {
      if (generation === this.#generation) {
        this.traffic.countError(codeOf(error), faultText(error));
      }
    }
    if (generation !== this.#generation || !this.isOpen) {
      return;
    }
    this.#isResolveDue = false;
    this.#addresses = addresses ?? this.#addresses;
    const index = this.#indexOf(this.#address);
    const next = isAfterError || index < 0 ? (index + 1) % this.#addresses.length : index;
    const address = this.#addresses[next]?.address;
    if (address === undefined || address === this.#address) {
      this.#scheduleResolve();
      return;
    }
    this.log.info(`collector ${this.target.text}: address changed from ${this.#address} to ${address}`);
    this.#health = new PathHealth(this.clock, this.#options.recoveryMs);
    this.#preferred = address;
    void this.close();
    this.traffic.drop('notConnected');
    this.reconnect();
  }

  #nextGeneration(): number {
    this.#generation += 1;
    return this.#generation;
  }
}

async function lookupAll(host: string): Promise<readonly ResolvedAddress[]> {
  const family = isIP(host);
  return family === 0 ? lookup(host, { all: true, verbatim: true }) : [{ address: host, family }];
}

function connectSocket(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, address, (error?: Error) => {
      socket.off('error', reject);
      if (error) {
        reject(error);
      } else {
        resolve();
      }
    });
  });
}

// The MTU of the paths to collectors over UDP, which messages must not exceed (RFC 7011, section 10.3.3). The kernel shows Node two
// things: the MTU of the interface by which messages leave, and the error EMSGSIZE when a router has answered that a message is too
// long for the next link. It does not show the MTU that the router named, so that from then on messages have the size that every path
// must carry. All exporters of a process share what was learned: the kernel reports the error to one socket only, and from then on
// fragments the messages of all.

import type { Clock, Timer } from '../runtime/clock.ts';
import { type HostInterfaces, mtuOfRoute, readHostInterfaces } from '../runtime/host-mtu.ts';

/** The MTU that every path must carry: of IPv4, what every host must accept (RFC 791, section 3.1); of IPv6, RFC 8200, section 5. */
const NARROW_MTU_IPV4 = 576;
const NARROW_MTU_IPV6 = 1280;
/** Bytes of the headers of IP and UDP. */
const HEADER_BYTES_IPV4 = 28;
const HEADER_BYTES_IPV6 = 48;
/** The longest packet over IPv4, and payload with its UDP header over IPv6: a longer one needs a jumbogram. */
const PACKET_BYTES_MAX = 65_535;
/** The shortest limit of a message: as for `--message-bytes-max`. */
export const MESSAGE_BYTES_MIN = 512;
/** Milliseconds for which a path is taken to be as narrow as it must at least be, after a router has said that it is narrow. */
export const NARROW_MS = 3_600_000;
/** Milliseconds between two readings of the interfaces' MTUs. */
export const MTU_POLL_MS = 10_000;
/** Addresses whose paths are narrow; the oldest is forgotten beyond. */
export const NARROW_PATHS_MAX = 1024;

/** The paths of a process. */
export class PathMtus {
  readonly #clock: Clock;
  readonly #readHost: () => HostInterfaces;
  readonly #paths = new Set<Path>();
  /** Until when the path to an address is narrow, in microseconds, oldest first. */
  readonly #narrow = new Map<string, number>();
  #host: HostInterfaces | undefined;
  /** What `mtuOfRoute` has returned for the interfaces of `#host`, by both addresses: a thousand sessions may have the same. */
  readonly #mtus = new Map<string, number | undefined>();
  #hostMicros = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(clock: Clock, readHost: () => HostInterfaces = readHostInterfaces) {
    this.#clock = clock;
    this.#readHost = readHost;
  }

  /**
   * Follows the path between two addresses until it is closed; calls back when its MTU is another one. While the
   * path is not known yet, `address` may be a name and `localAddress` empty.
   */
  open(address: string, localAddress: string, onChange: () => void): Path {
    const path = new Path({
      address,
      isNarrow: () => this.#isNarrow(address),
      narrow: () => this.#setNarrow(address),
      interfaceMtu: () => this.#mtuOf(address, localAddress),
      onChange,
      onClosed: () => this.#close(path),
    });
    this.#paths.add(path);
    this.#timer ??= this.#clock.setTimer(() => this.#poll(), MTU_POLL_MS);
    return path;
  }

  #close(path: Path): void {
    this.#paths.delete(path);
    if (this.#paths.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }

  #poll(): void {
    this.#timer = this.#clock.setTimer(() => this.#poll(), MTU_POLL_MS);
    this.#updateAll();
  }

  #updateAll(): void {
    for (const path of this.#paths) {
      path.update();
    }
  }

  /** A thousand sessions may open at once, and listing the interfaces of a host with many ports takes milliseconds. */
  #hostNow(): HostInterfaces {
    const nowMicros = this.#clock.monotonicMicros();
    if (this.#host === undefined || nowMicros - this.#hostMicros >= MTU_POLL_MS * 500) {
      this.#host = this.#readHost();
      this.#mtus.clear();
      this.#hostMicros = nowMicros;
    }
    return this.#host;
  }

  #mtuOf(address: string, localAddress: string): number | undefined {
    const host = this.#hostNow();
    const key = `${address} ${localAddress}`;
    if (!this.#mtus.has(key)) {
      this.#mtus.set(key, mtuOfRoute(host, address, localAddress));
    }
    return this.#mtus.get(key);
  }

  #isNarrow(address: string): boolean {
    return (this.#narrow.get(address) ?? 0) > this.#clock.monotonicMicros();
  }

  #setNarrow(address: string): void {
    this.#narrow.delete(address);
    this.#narrow.set(address, this.#clock.monotonicMicros() + NARROW_MS * 1000);
    const [oldest] = this.#narrow.keys();
    if (this.#narrow.size > NARROW_PATHS_MAX && oldest !== undefined) {
      this.#narrow.delete(oldest);
    }
    this.#updateAll();
  }
}

interface PathParts {
  readonly address: string;
  readonly isNarrow: () => boolean;
  readonly narrow: () => void;
  readonly interfaceMtu: () => number | undefined;
  readonly onChange: () => void;
  readonly onClosed: () => void;
}

/** The path of one session. */
export class Path {
  readonly #parts: PathParts;
  readonly #isIpv6: boolean;
  #mtu: number | undefined;

  constructor(parts: PathParts) {
    this.#parts = parts;
    this.#isIpv6 = parts.address.includes(':');
    this.#mtu = this.#mtuNow();
  }

  /** The MTU in bytes; undefined: not known. */
  get mtu(): number | undefined {
    return this.#mtu;
  }

  /** The longest message that fits into one packet, in bytes of UDP payload; undefined: not known. */
  get messageBytesMax(): number | undefined {
    if (this.#mtu === undefined) {
      return undefined;
    }
    const headerBytes = this.#isIpv6 ? HEADER_BYTES_IPV6 : HEADER_BYTES_IPV4;
    return Math.max(MESSAGE_BYTES_MIN, Math.min(this.#mtu, PACKET_BYTES_MAX) - headerBytes);
  }

  /** Notes that a router has refused a message that fits into the MTU; returns whether shorter ones will be sent. */
  refused(): boolean {
    const isNew = !this.#parts.isNarrow();
    if (isNew) {
      this.#parts.narrow();
    }
    return isNew;
  }

  /** Reads the MTU again. */
  update(): void {
    const mtu = this.#mtuNow();
    if (mtu !== this.#mtu) {
      this.#mtu = mtu;
      this.#parts.onChange();
    }
  }

  close(): void {
    this.#parts.onClosed();
  }

  #mtuNow(): number | undefined {
    const ofInterface = this.#parts.interfaceMtu();
    const narrow = this.#isIpv6 ? NARROW_MTU_IPV6 : NARROW_MTU_IPV4;
    return this.#parts.isNarrow() ? Math.min(ofInterface ?? narrow, narrow) : ofInterface;
  }
}

// Which process sends to a UDP socket on 127.0.0.1: the kernel lists the connected UDP sockets of a network namespace with the user
// of each (proc(5), /proc/net/udp).

import { readFileSync } from 'node:fs';

/** A UDP socket that is connected to a port on 127.0.0.1. */
export interface UdpPeer {
  readonly port: number;
  /** The user id of the process that opened it. */
  readonly userId: number;
}

const TABLE = '/proc/net/udp';
/** Columns of a line of the table: local address, remote address, user id. */
const LOCAL = 1;
const REMOTE = 2;
const USER = 7;
/** 127.0.0.1 as the table has it: a word in the byte order of the machine, which is little-endian on all that Debian's OVS is for. */
const LOOPBACK = '0100007F';

/**
 * The table of sockets as it was read last. A thousand receivers share it: reading it takes milliseconds where there are
 * thousands of sockets.
 */
export class UdpPeerTable {
  #peers: ReadonlyMap<number, readonly UdpPeer[]> = new Map();
  #readMs = Number.NEGATIVE_INFINITY;
  #readings = 0;

  /** How often the table was read. */
  get readings(): number {
    return this.#readings;
  }

  /** Returns the sockets that were connected to a port when the table was last read; none if that is longer ago than `ageMs`. */
  recentPeersOf(port: number, nowMs: number, ageMs: number): readonly UdpPeer[] {
    return nowMs - this.#readMs < ageMs ? (this.#peers.get(port) ?? []) : [];
  }

  /** Reads the table, and returns the sockets that are connected to a port. Throws as `udpPeersByPort`. */
  peersOf(port: number, nowMs: number): readonly UdpPeer[] {
    this.#readings += 1;
    this.#peers = udpPeersByPort();
    this.#readMs = nowMs;
    return this.#peers.get(port) ?? [];
  }
}

/**
 * Returns the sockets that are connected to ports on 127.0.0.1, by these ports. Throws an error of the file system if the table
 * cannot be read.
 */
export function udpPeersByPort(): ReadonlyMap<number, readonly UdpPeer[]> {
  const peers = new Map<number, UdpPeer[]>();
  for (const line of tableLines()) {
    const columns = line.includes(LOOPBACK) ? columnsOf(line) : [];
    if (columns[REMOTE]?.startsWith(LOOPBACK) === true) {
      const port = portOf(columns[REMOTE]);
      const others = peers.get(port);
      if (others === undefined) {
        peers.set(port, [peerOf(columns)]);
      } else {
        others.push(peerOf(columns));
      }
    }
  }
  return peers;
}

function tableLines(): readonly string[] {
  return readFileSync(TABLE, 'latin1').split('\n');
}

function columnsOf(line: string): readonly string[] {
  return line.trim().split(/\s+/u);
}

function peerOf(columns: readonly string[]): UdpPeer {
  return { port: portOf(columns[LOCAL]), userId: Number(columns[USER]) };
}

function portOf(address = ''): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}

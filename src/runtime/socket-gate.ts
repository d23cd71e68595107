// The gate for opening sockets, of which a thousand collector sets have two thousand.

import { TurnGate } from './turns.ts';

/** Sockets that are opened in a turn of the event loop: some 2 ms of work. */
const SOCKETS_PER_TURN = 16;

/** Pass it before a socket is opened. */
export const socketGate = new TurnGate(SOCKETS_PER_TURN);

// Finds companion actions that a daemon which died, or an earlier version, has left in a bridge where nothing is translated now.
// The search costs two small replies, while reading all flows of a bridge may take a second: a switch selects flows by their
// output port, and a `controller` action at any depth outputs to the port CONTROLLER.

import { appliedActions } from '../node-openflow/index.ts';
import type { Logger } from '../runtime/log.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { NOTHING_MANAGED, staleGroups } from './group-translator.ts';
import { isInHookSlot } from './hook.ts';
import { hasOurActions } from './translation.ts';

/** OFPP_CONTROLLER (OpenFlow 1.3, section A.2.1). */
const CONTROLLER_PORT = 0xffff_fffd;
export class StaleActionSearch {
  readonly #bridge: string;
  readonly #log: Logger;
  #searched: BridgeConnection | undefined;

  constructor({ bridge, log }: { readonly bridge: string; readonly log: Logger }) {
    this.#bridge = bridge;
    this.#log = log;
  }

  /** Whether a connection has been searched. */
  hasSearched(connection: BridgeConnection | undefined): boolean {
    return connection !== undefined && this.#searched === connection;
  }

  /**
   * Resolves to whether a flow or group has a companion action; later, for the same connection, to false. Rejects when the
   * switch refuses a request, or the connection ends.
   */
  async find(connection: BridgeConnection): Promise<boolean> {
    if (this.hasSearched(connection)) {
      return false;
    }
    const isFound = (await isInFlows(connection)) || (await isInGroups(connection));
    this.#searched = connection;
    if (isFound) {
      this.#log.info(`bridge ${this.#bridge}: stale companion actions found, removing them`);
    }
    return isFound;
  }
}

async function isInFlows(connection: BridgeConnection): Promise<boolean> {
  const flows = await connection.dumpFlows({ outPort: CONTROLLER_PORT });
  return flows.some(
    (flow) => !isInHookSlot(flow, connection.slot.mark) && hasOurActions(appliedActions(flow.instructions)),
  );
}

async function isInGroups(connection: BridgeConnection): Promise<boolean> {
  return (await staleGroups(connection.openflow, NOTHING_MANAGED)).length > 0;
}

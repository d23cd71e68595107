// An OpenFlow connection that modifies the switch only while the daemon can prove that it is the active one: after a pause of the
// process, another daemon may be.

import type { Duplex } from 'node:stream';
import {
  OpenFlowConnection,
  OpenFlowConnectionError,
  type OpenFlowConnectionOptions,
  type OpenFlowMessage,
  type OpenFlowRequestError,
} from '../node-openflow/index.ts';

export class LeadingConnection extends OpenFlowConnection {
  readonly #isLeading: () => boolean;

  /** @param isLeading see `Leadership.isLeading` */
  constructor(stream: Duplex, isLeading: () => boolean, options: OpenFlowConnectionOptions) {
    super(stream, options);
    this.#isLeading = isLeading;
  }

  /** As in `OpenFlowConnection`; rejects with `OPENFLOW_NOT_READY` while the daemon is not the active one. */
  override async transact(messages: readonly OpenFlowMessage[]): Promise<readonly OpenFlowRequestError[]> {
    if (!this.#isLeading()) {
      const message = 'nothing is modified: the database does not confirm that this daemon is the active one';
      throw new OpenFlowConnectionError('OPENFLOW_NOT_READY', message);
    }
    return super.transact(messages);
  }
}

// Pending requests: single ones wait for their reply, batches for errors about their messages. Replies and errors are
// matched by transaction id, and multipart replies are joined. The connection passes in the messages.
import { OpenFlowConnectionError, type OpenFlowErrorReport, OpenFlowRequestError } from './errors.ts';
import type { OpenFlowMessage, OpenFlowMessageType } from './message-types.ts';

const XID_MAX = 0xffff_ffff;

interface PendingRequest {
  readonly requestType: OpenFlowMessageType;
  readonly replyType: OpenFlowMessageType;
  readonly resolve: (reply: OpenFlowMessage) => void;
  readonly reject: (error: Error) => void;
  /** Entries of the parts received so far; null before the first part. */
  entries: unknown[] | null;
  receivedSize: number;
}

/** Messages with consecutive transaction ids, and the errors about them. */
export interface Batch {
  readonly firstXid: number;
  readonly messages: readonly OpenFlowMessage[];
  readonly errors: OpenFlowRequestError[];
}

/** The pending requests of one connection. */
export class PendingRequests {
  readonly #multipartBytesMax: number;
  readonly #requests = new Map<number, PendingRequest>();
  /** Rejected because their reply is too large; its further parts are discarded. */
  readonly #discarded = new Set<number>();
  readonly #batches = new Set<Batch>();
  #nextXid = 1;

  /** `multipartBytesMax`: a larger multipart reply rejects its request. */
  constructor(multipartBytesMax: number) {
    this.#multipartBytesMax = multipartBytesMax;
  }

  /** Number of pending requests and batches; a batch counts once. */
  get count(): number {
    return this.#requests.size + this.#batches.size;
  }

  /** Adds the request with that transaction id; `onReply` is called before the next message is handled. */
  add(
    xid: number,
    requestType: OpenFlowMessageType,
    replyType: OpenFlowMessageType,
    onReply: (reply: never) => void = () => {},
  ): Promise<OpenFlowMessage> {
    return new Promise((resolve, reject) => {
      const settle = (reply: OpenFlowMessage) => {
        // A reply has the type of its request: see `offer`.
        onReply(reply as never);
        resolve(reply);
      };
      this.#requests.set(xid, {
        requestType,
        replyType,
        resolve: settle,
        reject,
        entries: null,
        receivedSize: 0,
      });
    });
  }

  /** Adds a batch: errors about its messages are collected until `removeBatch`. */
  addBatch(firstXid: number, messages: readonly OpenFlowMessage[]): Batch {
    const batch: Batch = { firstXid, messages, errors: [] };
    this.#batches.add(batch);
    return batch;
  }

  removeBatch(batch: Batch): void {
    this.#batches.delete(batch);
  }

  /** Returns the first of `count` consecutive transaction ids that are not pending. 0 is not used: the switch uses it. */
  takeXids(count: number): number {
    let first = this.#nextXid;
    // After 2^32 messages ids are reused, and some of them may still be pending.
    while (first + count - 1 > XID_MAX || this.#isTaken(first, count)) {
      first = first + count - 1 > XID_MAX ? 1 : first + 1;
    }
    this.#nextXid = first + count;
    return first;
  }

  /** Number of replies that are being discarded because they are too large. */
  get discardedCount(): number {
    return this.#discarded.size;
  }

  /** Whether to discard this part of a reply without decoding it; the last part ends the discarding. */
  discards(xid: number, more: boolean): boolean {
    const discarded = this.#discarded.has(xid);
    if (discarded && !more) {
      this.#discarded.delete(xid);
    }
    return discarded;
  }

  /** Passes a message of `size` bytes to the request that it answers; returns false when there is none. */
  offer(xid: number, message: OpenFlowMessage, more: boolean, size: number): boolean {
    if (message.type === 'error') {
      return this.#offerError(xid, message);
    }
    const request = this.#requests.get(xid);
    if (request === undefined || request.replyType !== message.type) {
      return false;
    }
    request.receivedSize += size;
    if (request.receivedSize > this.#multipartBytesMax) {
      this.#rejectTooLarge(xid, request, more);
    } else if (more) {
      request.entries = append(request.entries, message);
    } else {
      this.#requests.delete(xid);
      const entries = request.entries;
      request.resolve(
        entries === null ? message : ({ ...message, entries: append(entries, message) } as OpenFlowMessage),
      );
    }
    return true;
  }

  /** Rejects all requests. */
  rejectAll(error: Error): void {
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    this.#batches.clear();
    this.#discarded.clear();
    for (const request of requests) {
      request.reject(error);
    }
  }

  /** Whether one of these transaction ids is pending. */
  #isTaken(firstXid: number, count: number): boolean {
    const end = firstXid + count;
    const isInside = (xid: number) => xid >= firstXid && xid < end;
    for (const xid of this.#requests.keys()) {
      if (isInside(xid)) {
        return true;
      }
    }
    for (const batch of this.#batches) {
      if (batch.firstXid < end && batch.firstXid + batch.messages.length > firstXid) {
        return true;
      }
    }
    return [...this.#discarded].some(isInside);
  }

  #rejectTooLarge(xid: number, request: PendingRequest, more: boolean): void {
    this.#requests.delete(xid);
    if (more) {
      this.#discarded.add(xid);
    }
    const message =
      `the reply to ${request.requestType} is larger than ${this.#multipartBytesMax} bytes (multipartBytesMax); ` +
      'raise the limit or request less';
    request.reject(new OpenFlowConnectionError('OPENFLOW_MULTIPART', message));
  }

  #offerError(xid: number, report: OpenFlowErrorReport): boolean {
    const request = this.#requests.get(xid);
    if (request !== undefined) {
      this.#requests.delete(xid);
      request.reject(new OpenFlowRequestError(report, request.requestType, xid));
      return true;
    }
    const batch = this.#batchOf(xid);
    if (batch === null) {
      return false;
    }
    const index = xid - batch.firstXid;
    const type = batch.messages[index]?.type ?? 'unknown';
    batch.errors.push(new OpenFlowRequestError(report, type, xid, index));
    return true;
  }

  #batchOf(xid: number): Batch | null {
    for (const batch of this.#batches) {
      if (xid >= batch.firstXid && xid < batch.firstXid + batch.messages.length) {
        return batch;
      }
    }
    return null;
  }
}

/** Returns the entries so far with those of one more part. Bodies without entries have a single part. */
function append(entries: unknown[] | null, message: OpenFlowMessage): unknown[] {
  const all = entries ?? [];
  if ('entries' in message) {
    for (const entry of message.entries) {
      all.push(entry);
    }
  }
  return all;
}

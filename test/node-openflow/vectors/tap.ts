// A proxy between ovs-ofctl and a real switch that forwards everything and records whole messages. It uses no code of the
// library under test.
import { connect, createServer } from 'node:net';

/** Listens on `path` and forwards connections to the unix socket `target`. */
export class Tap {
  readonly #server;
  /** Whole messages of the switch and of the client, in the order received. */
  readonly fromSwitch: Buffer[] = [];
  readonly fromClient: Buffer[] = [];

  constructor(path: string, target: string) {
    this.#server = createServer((client) => {
      const upstream = connect(target);
      const toClient = splitter(this.fromSwitch);
      const toSwitch = splitter(this.fromClient);
      upstream.on('data', (chunk) => {
        toClient(chunk);
        client.write(chunk);
      });
      client.on('data', (chunk) => {
        toSwitch(chunk);
        upstream.write(chunk);
      });
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        one.on('close', () => other.destroy());
        one.on('error', () => other.destroy());
      }
    });
    this.#server.listen(path);
  }

  close(): void {
    this.#server.close();
  }
}

function splitter(messages: Buffer[]): (chunk: Buffer) => void {
  let pending = Buffer.alloc(0);
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 8 && pending.length >= pending.readUInt16BE(2)) {
      const length = pending.readUInt16BE(2);
      messages.push(Buffer.from(pending.subarray(0, length)));
      pending = pending.subarray(length);
    }
  };
}

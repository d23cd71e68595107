// Records messages that ovs-ofctl encodes: a fake switch accepts its connection, answers hello, features and barrier with
// fixed bytes, and keeps all other messages. It uses no code of the library under test.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Names of the wire versions for `ovs-ofctl -O`. */
export const OFCTL_VERSIONS: ReadonlyMap<number, string> = new Map([
  [1, 'OpenFlow10'],
  [4, 'OpenFlow13'],
  [5, 'OpenFlow14'],
  [6, 'OpenFlow15'],
]);

const TYPE_HELLO = 0;
const TYPE_ECHO_REQUEST = 2;
const TYPE_FEATURES_REQUEST = 5;

/** Returns what ovs-ofctl sent, in order, without its hello, echo, features and barrier requests. */
export async function captureOfctl(version: number, args: (target: string) => string[]): Promise<Buffer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ofctl-'));
  const path = join(folder, 'switch.sock');
  const captured: Buffer[] = [];
  const server = createServer((socket) => {
    answerAsSwitch(socket, version, captured);
  });
  await listen(server, path);
  try {
    const format = version === 1 ? ['-F', 'NXM+table_id'] : [];
    await runOfctl([
      '--no-names',
      '-O',
      OFCTL_VERSIONS.get(version) ?? '',
      ...format,
      ...args(`unix:${path}`),
    ]);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return captured;
}

/** Runs ovs-ofctl and returns its output; rejects with its error output. */
export function runOfctl(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('ovs-ofctl', [...args], { maxBuffer: 1 << 26, timeout: 10_000 }, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
      } else {
        reject(new Error(`ovs-ofctl ${args.join(' ')}: ${stderr}`, { cause: error }));
      }
    });
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve) => {
    server.listen(path, resolve);
  });
}

function answerAsSwitch(socket: Socket, version: number, captured: Buffer[]): void {
  const barrierRequest = version === 1 ? 18 : 20;
  let pending = Buffer.alloc(0);
  socket.on('error', () => {
    socket.destroy();
  });
  socket.write(header(version, TYPE_HELLO, 8, 0));
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 8 && pending.length >= pending.readUInt16BE(2)) {
      const message = Buffer.from(pending.subarray(0, pending.readUInt16BE(2)));
      pending = pending.subarray(message.length);
      const type = message.readUInt8(1);
      const xid = message.readUInt32BE(4);
      if (type === TYPE_ECHO_REQUEST) {
        socket.write(header(version, TYPE_ECHO_REQUEST + 1, 8, xid));
      } else if (type === TYPE_FEATURES_REQUEST) {
        socket.write(Buffer.concat([header(version, TYPE_FEATURES_REQUEST + 1, 32, xid), Buffer.alloc(24)]));
      } else if (type === barrierRequest) {
        socket.write(header(version, barrierRequest + 1, 8, xid));
      } else if (type !== TYPE_HELLO) {
        captured.push(message);
      }
    }
  });
}

function header(version: number, type: number, length: number, xid: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(version, 0);
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(length, 2);
  bytes.writeUInt32BE(xid, 4);
  return bytes;
}

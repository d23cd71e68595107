// The fast way into a dummy port of OVS: a port with options:pstream=punix:PATH takes frames from a stream, each behind
// its length as two bytes, most significant first.

import { connect, type Socket } from 'node:net';

/** The connections of one OVS's ports. They stay open: what is still in one when it is closed would be lost. */
export class FrameStreams {
  readonly #sockets = new Map<string, Socket>();

  /** Writes frames into the port that listens at `path`; fulfilled when the kernel has taken them. */
  async write(path: string, frames: readonly Uint8Array[]): Promise<void> {
    const socket = await this.#socket(path);
    for (const frame of frames) {
      const lengthAndFrame = Buffer.alloc(2 + frame.length);
      lengthAndFrame.writeUInt16BE(frame.length, 0);
      lengthAndFrame.set(frame, 2);
      if (!socket.write(lengthAndFrame)) {
        await drained(socket);
      }
    }
  }

  close(): void {
    for (const socket of this.#sockets.values()) {
      socket.destroy();
    }
    this.#sockets.clear();
  }

  async #socket(path: string): Promise<Socket> {
    const known = this.#sockets.get(path);
    if (known !== undefined && !known.destroyed) {
      return known;
    }
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    // What the switch sends out of the port comes back here; nobody wants it, but it must not fill the stream.
    socket.resume();
    // The switch may be killed while the stream is open; the next write makes a new one.
    socket.on('error', () => this.#sockets.delete(path));
    this.#sockets.set(path, socket);
    return socket;
  }
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onClose = () => reject(new Error('The switch has closed the stream of a dummy port.'));
    socket.once('close', onClose);
    socket.once('drain', () => {
      socket.off('close', onClose);
      resolve();
    });
  });
}

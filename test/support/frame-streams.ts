// Writes frames to dummy ports of OVS fast: a port with options:pstream=punix:PATH reads frames from a stream, each after its
// length in two bytes, most significant first.

import { connect, type Socket } from 'node:net';

/** Frames that are written by one call of the system. */
const FRAMES_AT_ONCE = 100;

/** The connections to one OVS's ports. They stay open, because closing one would lose frames that are still in it. */
export class FrameStreams {
  readonly #sockets = new Map<string, Socket>();

  /** Writes frames to the port that listens at `path`; resolves when the kernel has accepted them. */
  async write(path: string, frames: readonly Uint8Array[]): Promise<void> {
    const socket = await this.#socket(path);
    for (let at = 0; at < frames.length; at += FRAMES_AT_ONCE) {
      const parts = frames
        .slice(at, at + FRAMES_AT_ONCE)
        .flatMap((frame) => [Buffer.from([frame.length >> 8, frame.length & 0xff]), frame]);
      if (!socket.write(Buffer.concat(parts))) {
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
    // Frames that the switch sends out of the port arrive here; they are read so that they do not fill the stream.
    socket.resume();
    // The switch may be killed while the stream is open; the next write opens a new one.
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

// stunnel, which ends TLS in front of a collector that speaks TCP only. It verifies the certificates of its clients.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsBench } from './collector-tls.ts';
import { freeUdpPort, listening } from './collectors.ts';
import { BackgroundProgram } from './process.ts';

export interface Stunnel {
  readonly pid: number;
  /** For an IPFIX row. */
  readonly target: string;
  stop(): Promise<void>;
}

/** Starts it before a port of 127.0.0.1. */
export async function startStunnel({ server, ca }: TlsBench, collectorPort: number): Promise<Stunnel> {
  const folder = await mkdtemp(join(tmpdir(), 'stunnel-'));
  const port = await freeUdpPort();
  const lines = [
    'foreground = yes',
    'pid =',
    '[ipfix]',
    `accept = 127.0.0.1:${port}`,
    `connect = 127.0.0.1:${collectorPort}`,
    `cert = ${server.cert}`,
    `key = ${server.key}`,
    `CAfile = ${ca.cert}`,
    'verifyChain = yes',
    'sslVersionMin = TLSv1.2',
  ];
  const configuration = join(folder, 'stunnel.conf');
  await writeFile(configuration, `${lines.join('\n')}\n`);
  const program = await BackgroundProgram.start('stunnel', [configuration]);
  await listening(port, program, 'tcp');
  return {
    pid: program.pid,
    target: `tls:127.0.0.1:${port}`,
    stop: async () => {
      await program.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

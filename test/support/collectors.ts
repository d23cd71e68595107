// Third-party collectors that users run: nfcapd with nfdump, nfacctd, ipfixcol2, tshark and libfixbuf's ipfixDump. Each decodes
// the bytes that the daemon exports.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackgroundProgram, runForOutput, runProgram } from './process.ts';
import { waitFor } from './wait.ts';

/** A collector that receives on a port of 127.0.0.1. */
export interface PortCollector {
  /** `IP:PORT` for the targets of an IPFIX row. */
  readonly target: string;
  readonly port: number;
  readonly pid: number;
  /** Returns what it has decoded so far (nfcapd: only after `stop`, which returns it too). */
  output(): Promise<string>;
  /** Returns its error output. */
  complaints(): string;
  /** Ends it and returns its last output. */
  stop(): Promise<string>;
}

/** Starts nfcapd, whose files are read with `nfdump -o json` or another format when it stops. */
export async function startNfcapd(
  nfdumpArguments: readonly string[] = ['-o', 'json'],
  nfcapdArguments: readonly string[] = [],
): Promise<PortCollector> {
  const folder = await mkdtemp(join(tmpdir(), 'nfcapd-'));
  const port = await freeUdpPort();
  const folderFlag = nfcapdFolderFlag(await nfcapdHelp());
  const args = ['-b', '127.0.0.1', '-p', String(port), '-t', '60', folderFlag, folder, ...nfcapdArguments];
  const program = await BackgroundProgram.start('nfcapd', args);
  await listening(port, program);
  const output = async () => {
    const files = (await readdir(folder)).filter((file) => /^nfcapd\.\d+$/.test(file));
    return files.length === 0 ? '' : runProgram('nfdump', ['-q', ...nfdumpArguments, '-R', folder]);
  };
  return {
    target: `127.0.0.1:${port}`,
    port,
    pid: program.pid,
    output,
    complaints: () => program.stderr,
    stop: async () => {
      await program.stop();
      const last = await output();
      await rm(folder, { recursive: true, force: true });
      return last;
    },
  };
}

/**
 * Starts nfacctd with its print plugin (JSON lines). It writes each second while messages arrive, and the rest when it ends.
 * `more` are other settings; `primitives` are lines for its setting `aggregate_primitives`.
 */
export async function startNfacctd(
  aggregate = 'src_host,dst_host,src_port,dst_port,proto',
  more: Readonly<Record<string, string>> = {},
  primitives: readonly string[] = [],
): Promise<PortCollector> {
  const folder = await mkdtemp(join(tmpdir(), 'nfacctd-'));
  const port = await freeUdpPort();
  const outputFile = join(folder, 'out.json');
  const settings = {
    nfacctd_ip: '127.0.0.1',
    nfacctd_port: port,
    plugins: 'print',
    aggregate,
    print_output: 'json',
    print_output_file: outputFile,
    print_output_file_append: 'true',
    print_refresh_time: 1,
    nfacctd_time_new: 'true',
    ...(primitives.length === 0 ? {} : { aggregate_primitives: join(folder, 'primitives') }),
    ...more,
  };
  await writeFile(join(folder, 'primitives'), `${primitives.join('\n')}\n`);
  const configuration = join(folder, 'nfacctd.conf');
  await writeFile(
    configuration,
    Object.entries(settings)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(''),
  );
  const program = await BackgroundProgram.start('nfacctd', ['-f', configuration]);
  await listening(port, program);
  const output = async () => {
    try {
      return await readFile(outputFile, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return '';
      }
      throw error;
    }
  };
  return {
    target: `127.0.0.1:${port}`,
    port,
    pid: program.pid,
    output,
    complaints: () =>
      `${program.stdout}${program.stderr}`
        .split('\n')
        .filter((line) => /WARN|ERROR/.test(line))
        .join('\n'),
    stop: async () => {
      // On SIGINT it writes what it holds.
      await program.stop('SIGINT');
      const last = await output();
      await rm(folder, { recursive: true, force: true });
      return last;
    },
  };
}

/**
 * Starts ipfixcol2, which writes each data record as a line of JSON, with the IANA name of each element. Debian has it since
 * sid; plugins and elements of an unpacked suite are read from there. With `isDetailed` a line also says the domain.
 */
export async function startIpfixcol2(protocol: 'udp' | 'tcp', isDetailed = false): Promise<PortCollector> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfixcol2-'));
  const port = await freeUdpPort();
  const configuration = join(folder, 'startup.xml');
  const listen = `<localPort>${port}</localPort><localIPAddress>127.0.0.1</localIPAddress>`;
  const settings = ['tcpFlags>raw', 'timestamp>formatted', 'protocol>raw', 'ignoreUnknown>false'];
  const shown = [...settings, `detailedInfo>${isDetailed}`]
    .map((setting) => `<${setting}</${setting.split('>')[0]}>`)
    .join('');
  await writeFile(
    configuration,
    `<ipfixcol2><inputPlugins><input><name>in</name><plugin>${protocol}</plugin>
      <params>${listen}</params></input></inputPlugins>
    <outputPlugins><output><name>out</name><plugin>json</plugin>
      <params>${shown}<outputs><print><name>print</name></print></outputs></params>
    </output></outputPlugins></ipfixcol2>`,
  );
  const suite = process.env['OVS_IPFIX_TEST_OVS'];
  const root = suite === undefined ? '' : join(suite, 'root');
  const libraries = (await readdir(join(root, '/usr/lib'))).filter((name) => name.endsWith('-linux-gnu'));
  const plugins = libraries.map((name) => join(root, '/usr/lib', name, 'ipfixcol2'));
  const args = ['-v', '-c', configuration, '-p', plugins[0] ?? '', '-e', join(root, '/etc/libfds')];
  const program = await BackgroundProgram.start('ipfixcol2', args);
  await listening(port, program, protocol);
  return {
    target: `127.0.0.1:${port}`,
    port,
    pid: program.pid,
    output: () => Promise.resolve(program.stdout),
    complaints: () =>
      // The default folder of plugins is missing on a machine without ipfixcol2.
      program.stderr
        .split('\n')
        .filter((line) => line !== '' && !/Unable to access to plugin\(s\) in '\/usr/u.test(line))
        .join('\n'),
    stop: async () => {
      await program.stop('SIGINT');
      await rm(folder, { recursive: true, force: true });
      return program.stdout;
    },
  };
}

/** Decodes received messages by tshark (`-T json`, IPFIX dissector); `port` is their destination port. */
export async function tsharkJson(messages: readonly Uint8Array[], port = 4739): Promise<unknown[]> {
  return withFile('messages.pcap', udpPcap(messages, port), async (file) => {
    const text = await runProgram(
      'tshark',
      ['-n', '-r', file, '-d', `udp.port==${port},cflow`, '-T', 'json', '--no-duplicate-keys'],
      { timeoutMs: 60_000 },
    );
    return JSON.parse(text) as unknown[];
  });
}

/** Decodes received messages by tshark (`-V`): the text of all layers with expert information. */
export async function tsharkText(messages: readonly Uint8Array[], port = 4739): Promise<string> {
  return withFile('messages.pcap', udpPcap(messages, port), (file) =>
    runProgram('tshark', ['-n', '-r', file, '-d', `udp.port==${port},cflow`, '-V'], { timeoutMs: 60_000 }),
  );
}

/**
 * Decodes messages by libfixbuf's ipfixDump, which must print no warning. Count the records in its text, too: it drops a set
 * with a wrong length silently.
 */
export async function ipfixDump(
  messages: readonly Uint8Array[],
): Promise<{ readonly text: string; readonly warnings: string }> {
  return withFile('messages.ipfix', Buffer.concat(messages), async (file) => {
    const { stdout, stderr } = await runForOutput('ipfixDump', ['--in', file], { timeoutMs: 60_000 });
    return { text: stdout, warnings: stderr };
  });
}

/** Returns a capture file of UDP datagrams from 127.0.0.1 to 127.0.0.1:`port`. */
export function udpPcap(messages: readonly Uint8Array[], port: number): Buffer {
  return framePcap(messages.map((message) => datagramFrame(message, port)));
}

/** Returns a capture file (pcap, Ethernet) of frames, a microsecond apart. */
export function framePcap(frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2_c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(262_144, 16);
  head.writeUInt32LE(1, 20);
  const packets = frames.map((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_700_000_000, 0);
    record.writeUInt32LE(index, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([head, ...packets]);
}

function datagramFrame(message: Uint8Array, port: number): Buffer {
  // Checksums are zero: tshark does not verify them by default.
  const headers = Buffer.from('00'.repeat(12) + '08004500' + '00'.repeat(4) + '400040110000', 'hex');
  const addresses = Buffer.from('7f0000017f000001', 'hex');
  const udp = Buffer.alloc(8);
  headers.writeUInt16BE(28 + message.length, 16);
  udp.writeUInt16BE(40_000, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(8 + message.length, 4);
  return Buffer.concat([headers, addresses, udp, message]);
}

async function withFile<T>(name: string, bytes: Uint8Array, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'referee-'));
  try {
    const file = join(folder, name);
    await writeFile(file, bytes);
    return await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Returns a UDP port of 127.0.0.1 that was free just now, for programs that cannot choose one. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Waits until a process has bound the port, by the kernel's table of sockets. */
export async function listening(
  port: number,
  program: BackgroundProgram,
  protocol: 'udp' | 'tcp' = 'udp',
): Promise<void> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const state = await waitFor(
    async () => {
      if (program.exit !== undefined) {
        return 'ended';
      }
      const files = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`];
      const tables = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
      return tables.split('\n').some((line) => line.trim().split(/\s+/)[1]?.endsWith(suffix)) && 'listens';
    },
    { what: `${program.name} listens at port ${port}` },
  );
  if (state === 'ended') {
    throw new Error(`${program.name} has ended: ${program.stdout}${program.stderr}`);
  }
}

/**
 * Waits until a collector has read everything that was sent to it: over UDP from its socket, over TCP until the end. Returns the
 * datagrams that its socket has dropped.
 */
export async function drained(port: number, protocol: 'udp' | 'tcp' = 'udp'): Promise<number> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = await waitFor(
    async () => {
      const files = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`];
      const tables = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
      const columns = tables.split('\n').map((line) => line.trim().split(/\s+/u));
      const found = columns.filter(([, local]) => local?.endsWith(suffix));
      const isListening = ([, , , state]: readonly string[]) => protocol === 'udp' || state === TCP_LISTEN;
      const isRead = found.every(
        (socket) => isListening(socket) && socket[4]?.endsWith(':00000000') === true,
      );
      return found.length > 0 && isRead && found;
    },
    { what: `the collector at port ${port} has read all` },
  );
  return protocol === 'udp' ? sockets.reduce((sum, socket) => sum + Number(socket.at(-1)), 0) : 0;
}

/** The state of a socket in /proc/net/tcp. */
const TCP_LISTEN = '0A';

async function nfcapdHelp(): Promise<string> {
  const { stdout, stderr } = await runForOutput('nfcapd', ['-h']);
  return stdout + stderr;
}

/** Returns nfcapd's flag of the folder: `-l` up to nfdump 1.6, `-w` since 1.7, where `-l` is deprecated. */
function nfcapdFolderFlag(help: string): string {
  return /^-w\s/m.test(help) ? '-w' : '-l';
}

// The demo under Docker, as the test drives it: docker-compose or Compose v2, whichever `.ci/test-docker` has found.

import { runForOutput, runProgram } from '../support/process.ts';
import { waitFor } from '../support/wait.ts';

const PROJECT = 'ovs-ipfix-test';
const COMMAND = (process.env['COMPOSE_COMMAND'] ?? 'docker compose').split(' ');
const FILES = ['-f', 'docker/compose.yaml', '-f', 'test/docker/compose.test.yaml', '-p', PROJECT];
const MINUTES = 60_000;

/** The page and its documents, at the port that the demo publishes on this host's loopback. */
export const PAGE = 'http://127.0.0.1:9550';

/** The services that are always there. */
export const SERVICES = ['ovs', 'ovs-ipfix', 'hosts', 'collector', 'collect'] as const;
export type Service = (typeof SERVICES)[number];

/** `docker ARGS...`, for its output. */
export async function docker(...args: string[]): Promise<string> {
  return (await runProgram('docker', args, { timeoutMs: 10 * MINUTES })).trim();
}

/** `docker compose ARGS...`, for its output. */
export async function compose(...args: string[]): Promise<string> {
  const [program, ...before] = COMMAND as [string, ...string[]];
  const environment = { DEMO_PAUSE: demoPause };
  return runProgram(program, [...before, ...FILES, ...args], { environment, timeoutMs: 10 * MINUTES });
}

/** Seconds between two rounds of traffic, as text; 0 is silence. The services that `compose` makes from now on get it. */
let demoPause = '5';
export function setDemoPause(seconds: number): void {
  demoPause = String(seconds);
}

/** Runs a command in a service's container. */
export async function inside(service: Service, ...command: string[]): Promise<string> {
  return compose('exec', '-T', service, ...command);
}

/** What a service has said so far. */
export async function logOf(service: Service): Promise<string> {
  const { stdout, stderr } = await runForOutput('docker', ['logs', await idOf(service)]);
  return stdout + stderr;
}

/** The id of a service's container. */
export async function idOf(service: string): Promise<string> {
  return (await compose('ps', '-q', service)).trim();
}

/** Waits until every service is healthy, the hosts reach each other and the daemon is ready. */
export async function waitUntilSettled(services: readonly Service[] = SERVICES): Promise<void> {
  for (const service of services) {
    await waitFor(async () => (await healthOf(service)) === 'healthy', {
      what: `the service ${service} is healthy`,
      timeoutMs: MINUTES,
      intervalMs: 500,
    });
  }
  const isReady = async () => {
    await inside('hosts', 'demo-hosts', 'ready');
    await inside('hosts', 'demo-hosts', 'on', 'alice', 'ping', '-q', '-c', '1', '-W', '1', '10.47.0.2');
    return !services.includes('ovs-ipfix') || (await appctl('ready')) === 'ready';
  };
  await waitFor(isReady, { what: 'the hosts reach each other', timeoutMs: MINUTES, intervalMs: 500 });
}

async function healthOf(service: Service): Promise<string> {
  return docker('inspect', '--format', '{{.State.Health.Status}}', await idOf(service));
}

/** The daemon's answer to OVS's own ovs-appctl, in the switch's container. */
export async function appctl(...command: string[]): Promise<string> {
  const socket = '/var/run/openvswitch/ovs-ipfix.ctl';
  return (await inside('ovs', 'ovs-appctl', '-t', socket, ...command)).trim();
}

/** What Docker still has of the project: ids and names of containers, volumes and networks. */
export async function leftovers(): Promise<string[]> {
  const filter = ['--filter', `label=com.docker.compose.project=${PROJECT}`, '-q'];
  const listings = [
    await docker('ps', '-a', ...filter),
    await docker('volume', 'ls', ...filter),
    await docker('network', 'ls', ...filter),
  ];
  return listings.join('\n').split('\n').filter(Boolean);
}

// Commands of the demo under Docker, with docker-compose or Compose v2, whichever `.ci/test-docker` has found.

import { runForOutput, runProgram } from '../support/process.ts';
import { waitFor } from '../support/wait.ts';

const PROJECT = 'ovs-ipfix-test';
const COMMAND = (process.env['COMPOSE_COMMAND'] ?? 'docker compose').split(' ');
const FILES = ['-f', 'docker/compose.yaml', '-f', 'test/docker/compose.test.yaml', '-p', PROJECT];
const MINUTES = 60_000;

/** Base URL of the page, at the port that the demo publishes on this host's loopback. */
export const PAGE = 'http://127.0.0.1:9550';

/** The services of the default profile. */
export const SERVICES = ['ovs', 'ovs-ipfix', 'hosts', 'collector', 'collect'] as const;
export type Service = (typeof SERVICES)[number];

/** Runs `docker ARGS...` and returns its output. */
export async function docker(...args: string[]): Promise<string> {
  return (await runProgram('docker', args, { timeoutMs: 10 * MINUTES })).trim();
}

/** Runs `docker compose ARGS...` and returns its output. */
export async function compose(...args: string[]): Promise<string> {
  const [program, ...before] = COMMAND as [string, ...string[]];
  const environment = { DEMO_PAUSE: demoPause };
  return runProgram(program, [...before, ...FILES, ...args], { environment, timeoutMs: 10 * MINUTES });
}

/** Seconds between two rounds of traffic, as text; 0: no traffic. For services that `compose` makes from now on. */
let demoPause = '5';
export function setDemoPause(seconds: number): void {
  demoPause = String(seconds);
}

/** Runs a command in a service's container. */
export async function inside(service: Service, ...command: string[]): Promise<string> {
  return compose('exec', '-T', service, ...command);
}

/** Returns the log of a service. */
export async function logOf(service: Service): Promise<string> {
  const { stdout, stderr } = await runForOutput('docker', ['logs', await idOf(service)]);
  return stdout + stderr;
}

/** Returns the id of a service's container. */
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

/** Runs a command of the daemon by OVS's ovs-appctl in the switch's container. */
export async function appctl(...command: string[]): Promise<string> {
  const socket = '/var/run/openvswitch/ovs-ipfix.ctl';
  return (await inside('ovs', 'ovs-appctl', '-t', socket, ...command)).trim();
}

/** Returns ids and names of the project's remaining containers, volumes and networks. */
export async function leftovers(): Promise<string[]> {
  const filter = ['--filter', `label=com.docker.compose.project=${PROJECT}`, '-q'];
  const listings = [
    await docker('ps', '-a', ...filter),
    await docker('volume', 'ls', ...filter),
    await docker('network', 'ls', ...filter),
  ];
  return listings.join('\n').split('\n').filter(Boolean);
}

// Runs the demo of docker/compose.yaml, and checks the steps of docs/demo.md one after another. Run by
// `npm run test:docker`.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { page, transcripts } from '../support/manual.ts';
import { waitFor } from '../support/wait.ts';
import {
  appctl,
  compose,
  docker,
  idOf,
  inside,
  leftovers,
  logOf,
  PAGE,
  SERVICES,
  setDemoPause,
  waitUntilSettled,
} from './compose.ts';
import { collected, compareRound, round, sent } from './traffic.ts';

/** Runs `ovs-vsctl` in the switch's container, as in docs/demo.md. */
const vsctl = (line: string) => inside('ovs', 'ovs-vsctl', ...line.split(' '));

before(async () => {
  await compose('down', '-v', '--remove-orphans');
  await compose('build');
});
after(() => compose('--profile', 'metrics', 'down', '-v', '--remove-orphans'));

test('the collector has records of each kind of traffic within 30 s of `up`', async (t) => {
  const begin = performance.now();
  await compose('up', '-d', '--no-build');
  const isUp = performance.now();
  await waitFor(async () => Object.values(await collected()).every((packets) => packets > 0), {
    what: 'each kind of traffic at the collector',
    timeoutMs: 30_000,
    intervalMs: 500,
  });
  const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(1);
  t.diagnostic(
    `up took ${seconds(begin, isUp)} s, records came ${seconds(isUp, performance.now())} s after it`,
  );
  await waitUntilSettled();
  assert.match(await logOf('collect'), /10\.47\.0\.1:\d+ > 10\.47\.0\.3:80/u);
});

test('the page and its documents are served on the loopback of this host', async () => {
  const page = await fetch(`${PAGE}/`);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<title>ovs-ipfix/u);
  const status = (await (await fetch(`${PAGE}/status.json`)).json()) as { missing: string[] };
  assert.deepEqual(status.missing, []);
  assert.match(await (await fetch(`${PAGE}/metrics`)).text(), /ovs_ipfix_ready 1/u);
  assert.match(await docker('port', await idOf('ovs-ipfix')), /^9550\/tcp -> 127\.0\.0\.1:9550$/u);
});

test('the daemon runs as an unprivileged user without capabilities, on a read-only file system', async () => {
  const id = await idOf('ovs-ipfix');
  const settings =
    '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.Privileged}}';
  assert.equal(await docker('inspect', '--format', settings, id), '4739:4739 true [ALL] false');
  assert.match(await inside('ovs-ipfix', 'cat', '/proc/1/status'), /^CapEff:\t0{16}$/mu);
  await assert.rejects(inside('ovs-ipfix', 'touch', '/somewhere'), /Read-only file system/u);
  for (const tool of ['npm', 'gcc', 'make', 'python3']) {
    await assert.rejects(inside('ovs-ipfix', 'which', tool), `the image has ${tool}`);
  }
});

test('the image is reproducible from the same sources', async () => {
  const digest = (image: string) =>
    docker(
      'run',
      '--rm',
      '--entrypoint',
      'sh',
      image,
      '-c',
      'cd /usr/share/ovs-ipfix && find . -type f -exec sha256sum {} + | sort -k 2',
    );
  const again = 'ovs-ipfix:built-again';
  await docker('build', '-q', '--no-cache', '--network', 'host', '-f', 'docker/Dockerfile', '-t', again, '.');
  try {
    assert.equal(await digest(again), await digest('ovs-ipfix'));
  } finally {
    await docker('rmi', again);
  }
});

test('the collector counts exactly the packets that the hosts have sent', async (t) => {
  setDemoPause(0);
  await compose('up', '-d', '--no-build');
  await waitUntilSettled();
  const { rounds, packets } = await compareRound();
  t.diagnostic(`${rounds} rounds: ${JSON.stringify(packets)}`);
  for (const [kind, count] of Object.entries(packets)) {
    assert.ok(count > 0, kind);
  }
});

test('the collector shows the columns that docs/demo.md has', async () => {
  const words = (text: string) => text.split('\n')[0]?.trim().split(/\s+/u);
  const [shown] = transcripts(page('demo.md'));
  assert.equal(shown?.command, 'docker compose exec collector flows');
  assert.deepEqual(words(await inside('collector', 'flows')), words(shown.output));
});

for (const service of SERVICES) {
  test(`${service} can be restarted`, async (t) => {
    await compose('restart', service);
    await waitUntilSettled();
    t.diagnostic(JSON.stringify(await compareRound()));
  });
}

test('a stopped collector does not affect the other one, and receives records again after its start', async () => {
  await compose('stop', 'collector');
  const linesBefore = (await logOf('collect')).split('\n').length;
  await round();
  await appctl('flush');
  const hasMore = async () => (await logOf('collect')).split('\n').length > linesBefore + 5;
  await waitFor(hasMore, { what: 'the other collector goes on', timeoutMs: 20_000, intervalMs: 500 });
  await compose('start', 'collector');
  await waitUntilSettled();
  await compareRound();
});

test('the commands of docs/demo.md work: another sampling interval, and a `sample` action in a flow', async () => {
  const row = (await vsctl('get Bridge br0 ipfix')).trim();
  await vsctl(`set IPFIX ${row} sampling=64`);
  await waitFor(async () => /1 in 64\b/u.test(await appctl('status')), {
    what: 'the new interval',
    timeoutMs: 5000,
  });
  await vsctl(`set IPFIX ${row} sampling=1`);
  await vsctl(
    '-- --id=@br get Bridge br0 ' +
      '-- --id=@i create IPFIX targets="172.30.47.21:4739" cache_active_timeout=5 cache_max_flows=1000 ' +
      '-- create Flow_Sample_Collector_Set bridge=@br id=1 ipfix=@i',
  );
  const flow =
    'udp,tp_dst=53,actions=sample(probability=65535,collector_set_id=1,obs_domain_id=7,obs_point_id=9),NORMAL';
  await inside('ovs', 'ovs-ofctl', 'add-flow', 'br0', flow);
  const hasDomain = async () => {
    await round();
    return (await logOf('collect')).includes('observation domain 7');
  };
  await waitFor(hasDomain, { what: 'records of domain 7', timeoutMs: 60_000, intervalMs: 2000 });
  await inside('ovs', 'ovs-ofctl', '--strict', 'del-flows', 'br0', 'udp,tp_dst=53');
  await vsctl('--all destroy Flow_Sample_Collector_Set');
  assert.equal(await appctl('conditions'), 'no conditions');
});

test('`stop ovs-ipfix` hands the export back to ovs-vswitchd, `start` takes it over again', async () => {
  const hooks = async () =>
    (await inside('ovs', 'ovs-ofctl', 'dump-flows', 'br0'))
      .split('\n')
      .filter((line) => line.includes('controller')).length;
  assert.equal(await hooks(), 1);
  await compose('stop', 'ovs-ipfix');
  assert.equal(await hooks(), 0);
  const row = await vsctl('--columns=targets,external_ids list IPFIX');
  assert.match(row, /targets\s*: \["172\.30\.47\.20:4739", "172\.30\.47\.21:4739"\]/u);
  assert.doesNotMatch(row, /ovs-ipfix-/u);
  const [collectedBefore, sentBefore] = [await collected(), await sent()];
  await round();
  assert.ok((await sent())['ping']! > sentBefore['ping']!);
  await waitFor(async () => (await collected())['ping']! > collectedBefore['ping']!, {
    what: "ovs-vswitchd's own records at the collector",
    timeoutMs: 30_000,
    intervalMs: 500,
  });
  await compose('start', 'ovs-ipfix');
  await waitUntilSettled();
  assert.equal(await hooks(), 1);
  await compareRound();
});

test('a killed daemon continues after its restart', async () => {
  await compose('kill', 'ovs-ipfix');
  await compose('start', 'ovs-ipfix');
  await waitUntilSettled();
  await compareRound();
});

test('Prometheus of the profile "metrics" scrapes the daemon and has its rules', async () => {
  await compose('--profile', 'metrics', 'up', '-d', '--no-build', 'prometheus');
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:9090/api/v1/${path}`)).text();
  await waitFor(async () => (await ask('query?query=ovs_ipfix_ready')).includes('"ovs-ipfix:9550"'), {
    what: 'a scrape',
    timeoutMs: 60_000,
    intervalMs: 500,
  });
  assert.match(await ask('rules'), /OvsIpfixNotReady/u);
});

test('Grafana of the profile "metrics" shows the dashboard', async (t) => {
  const image = /image: (?<image>grafana\S+)/u.exec(await compose('--profile', 'metrics', 'config'))!.groups![
    'image'
  ]!;
  const hasImage = await docker('image', 'inspect', image).then(
    () => true,
    () =>
      docker('pull', '-q', image).then(
        () => true,
        () => false,
      ),
  );
  if (!hasImage) {
    t.skip(`no registry gives ${image}, and Debian has no Grafana`);
    return;
  }
  await compose('--profile', 'metrics', 'up', '-d', '--no-build', 'grafana');
  const ask = async () => (await fetch('http://127.0.0.1:3000/api/dashboards/uid/ovs-ipfix')).status;
  await waitFor(async () => (await ask()) === 200, {
    what: 'the dashboard',
    timeoutMs: 60_000,
    intervalMs: 1000,
  });
});

test('`down -v` removes everything', async () => {
  await compose('--profile', 'metrics', 'down', '-v', '--remove-orphans');
  assert.deepEqual(await leftovers(), []);
});

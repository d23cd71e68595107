// Runs a real Prometheus that scrapes a test's daemon each second, with the alert rules of docker/metrics.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { BackgroundProgram } from './process.ts';
import { waitFor } from './wait.ts';

export const METRICS_FOLDER = join(import.meta.dirname, '..', '..', 'docker', 'metrics');

/** A series of a result: its labels, and its value as text. */
export interface QuerySeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A running Prometheus. */
export class Prometheus {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  /** Starts Prometheus for one daemon, whose page is at HOST:PORT; it is ended after the test. */
  static async start(t: TestContext, target: string): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [join(METRICS_FOLDER, 'alerts.yml')],
      scrape_configs: [{ job_name: 'ovs-ipfix', static_configs: [{ targets: [target] }] }],
    };
    // JSON is YAML.
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const program = await BackgroundProgram.start('prometheus', [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
    t.after(async () => {
      await program.stop();
      await rm(folder, { recursive: true, force: true });
    });
    const address = await waitFor(
      () => /msg="Listening on" address=(?<address>\S+)/u.exec(program.stderr)?.groups?.['address'],
      { what: 'Prometheus says where it listens', timeoutMs: 20_000 },
    );
    return new Prometheus(`http://${address}/api/v1/`);
  }

  /** Returns the current value of an expression; rejects with the error of Prometheus. */
  async query(expression: string): Promise<readonly QuerySeries[]> {
    const data = await this.get(`query?query=${encodeURIComponent(expression)}`);
    return (data as { result: readonly QuerySeries[] }).result;
  }

  /** Returns the data of a response of its API. */
  async get(path: string): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`);
    const answer = (await response.json()) as { status: string; data: unknown; error?: string };
    if (answer.status !== 'success') {
      throw new Error(`Prometheus to ${path}: ${answer.error}`);
    }
    return answer.data;
  }
}

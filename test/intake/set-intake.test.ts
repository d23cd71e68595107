import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SampleSink } from '../../src/intake/bridge-intake.ts';
import { IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { SampleRates } from '../../src/intake/sample-rates.ts';
import { SetIntake } from '../../src/intake/set-intake.ts';
import { knownTemplates } from '../../src/intake/switch-templates.ts';
import { SWITCH_DOMAIN, SwitchExporter } from './switch-messages.ts';

class Sink implements SampleSink {
  readonly hasInterfaces = false;
  readonly hasTunnels = false;
  readonly samples: { weight: number; ids: string; frameLength: number; octets: number }[] = [];

  sample(...[, , , frameLength, weight, domain, point, , octets]: Parameters<SampleSink['sample']>): void {
    this.samples.push({ weight, ids: `${domain >>> 0} ${point >>> 0}`, frameLength, octets });
  }
}

function intakeOf(rates = new SampleRates()) {
  const sink = new Sink();
  const intake = new SetIntake({
    seed: 1,
    interfaces: new IngressInterfaces(),
    templates: knownTemplates(),
    onOtherTemplate: () => {},
    rates,
  });
  intake.setSink(sink);
  const receive = (message: Buffer) => intake.receive(message, message.length);
  return { intake, sink, receive };
}

test("forwards each record with the ids of its action, and the flow's probability as its weight", () => {
  const rates = new SampleRates();
  rates.add(SWITCH_DOMAIN, 9, 32_768);
  const { sink, receive, intake } = intakeOf(rates);
  const exporter = new SwitchExporter();
  for (let count = 0; count < 1000; count += 1) {
    receive(exporter.message({ point: 9 }));
  }
  assert.ok(sink.samples.every(({ ids }) => ids === `${SWITCH_DOMAIN} 9`));
  const sum = sink.samples.reduce((packets, { weight }) => packets + weight, 0);
  assert.ok(Math.abs(sum - (1000 * 65_535) / 32_768) < 1, `${sum} packets`);
  assert.equal(intake.status().selected, 1000);
});

test('a record of several samples, which ovs-vswitchd had in its cache, is taken as it is', () => {
  const { sink, receive, intake } = intakeOf();
  receive(new SwitchExporter().message({ point: 9, packets: 300, frameLength: 70 }));
  assert.deepEqual(sink.samples, [
    { weight: 300, ids: `${SWITCH_DOMAIN} 9`, frameLength: 70, octets: 300 * 70 },
  ]);
  assert.equal(intake.status().packets.lost, 0);
});

test('compensates what was lost before a record', () => {
  const { sink, receive, intake } = intakeOf();
  const exporter = new SwitchExporter();
  receive(exporter.message({ point: 9 }, 1));
  exporter.message({ point: 9 }, 1);
  receive(exporter.message({ point: 9 }, 1));
  for (let count = 0; count < 10; count += 1) {
    receive(exporter.message({ point: 9 }, 2));
  }
  assert.equal(intake.status().packets.lost, 1);
  const sum = sink.samples.reduce((packets, { weight }) => packets + weight, 0);
  assert.ok(sum >= 12 && sum <= 13, `${sum} packets`);
});

test('counts records that nothing is exported for', () => {
  const { intake, receive, sink } = intakeOf();
  intake.setSink(undefined);
  receive(new SwitchExporter().message({ point: 9 }));
  assert.deepEqual([intake.status().unmanaged, sink.samples.length], [1, 0]);
});

// Both flow engines for tests, which get the same samples.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlowCache, type FlowVisitor } from '../../src/flow/flow-cache.ts';
import type { EngineName, FlowCacheOptions, FlowEngine, MakeFlowEngine } from '../../src/flow/flow-engine.ts';
import { wasmEngines } from '../../src/flow/wasm-engine.ts';
import type { FlowKey } from '../../src/packet/flow-key.ts';

const MODULE = new WebAssembly.Module(
  readFileSync(join(import.meta.dirname, '..', '..', 'dist', 'flow-engine.wasm')),
);

export const MAKE_ENGINE: Readonly<Record<EngineName, MakeFlowEngine>> = {
  typescript: (options) => new FlowCache(options),
  wasm: wasmEngines(MODULE),
};

const NO_VISITOR: FlowVisitor = { flow: () => {} };

/** Returns an engine whose frames are all dissected before they are added. */
export function engineOf(name: EngineName, options: FlowCacheOptions): FlowEngine {
  return MAKE_ENGINE[name](options, () => {
    throw new Error('no frame was put into the engine');
  });
}

/** Puts a sample with this key into the batch of an engine. */
export function putSample(
  engine: FlowEngine,
  key: FlowKey,
  domain: number,
  nowMicros: number,
  weight: number,
  frameSize: number,
  octets = weight * frameSize,
): void {
  const { batch } = engine;
  const sample = batch.samples[batch.count]!;
  key.bytes.copy(sample.bytes);
  sample.size = key.size;
  sample.templateId = key.templateId;
  sample.ethernetHeaderLength = key.ethernetHeaderLength;
  sample.isIp = key.isIp;
  sample.ipTotalLength = key.ipTotalLength;
  sample.tcpControlBits = key.tcpControlBits;
  sample.domain = domain | 0;
  sample.timeMicros = nowMicros;
  sample.weight = weight;
  sample.frameSize = frameSize;
  sample.octets = octets;
  batch.count += 1;
}

/** Adds a sample with this key; expires nothing. */
export function addSample(
  engine: FlowEngine,
  key: FlowKey,
  domain: number,
  nowMicros: number,
  weight: number,
  frameSize: number,
): void {
  putSample(engine, key, domain, nowMicros, weight, frameSize);
  engine.addBatch(engine.batch, NO_VISITOR, 0);
}

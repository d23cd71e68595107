// Chooses the flow engine of exporters: that in WebAssembly, which is a file beside the program, or that in TypeScript.

import { FlowCache } from '../flow/flow-cache.ts';
import { ENGINES, type MakeFlowEngine } from '../flow/flow-engine.ts';
import { HAS_WASM_ORDER, wasmEngines } from '../flow/wasm-engine.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';

/** The program of the engine in WebAssembly, built from src/engine, in the folder of ours. */
export const ENGINE_FILE = 'flow-engine.wasm';

/** The values of `--engine`: with `auto` that in WebAssembly, or that in TypeScript where there cannot be the first. */
export const ENGINE_CHOICES = ['auto', ...ENGINES] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];

/** An engine that was asked for by its name cannot be used; the message is a sentence. */
class EngineError extends Error {
  readonly code = 'ENGINE';

  constructor(cause: unknown) {
    super(
      `The flow engine in WebAssembly cannot be used (${reasonOf(cause)}); "--engine auto" uses that in TypeScript then.`,
      { cause },
    );
    this.name = 'EngineError';
  }
}

const makePlain: MakeFlowEngine = (options) => new FlowCache(options);

/**
 * Returns what creates the engines of that choice; `readBinary` reads `ENGINE_FILE`. Where there is no memory for an engine in
 * WebAssembly, `auto` logs that and makes one in TypeScript. With `wasm`, this or the first engine throws an `EngineError`.
 */
export function flowEngines(
  choice: EngineChoice,
  readBinary: () => Uint8Array<ArrayBuffer>,
  log: Logger,
): MakeFlowEngine {
  if (choice === 'typescript') {
    return makePlain;
  }
  const fallBack = (error: unknown): MakeFlowEngine => {
    if (choice === 'wasm') {
      throw new EngineError(error);
    }
    log.warn(`the flow engine in WebAssembly cannot be used: ${reasonOf(error)}; engine typescript`);
    return makePlain;
  };
  let make: MakeFlowEngine;
  try {
    if (!HAS_WASM_ORDER) {
      throw new Error('the machine is big-endian');
    }
    make = wasmEngines(new WebAssembly.Module(readBinary()));
  } catch (error) {
    return fallBack(error);
  }
  return (options, dissect) => {
    try {
      return make(options, dissect);
    } catch (error) {
      make = fallBack(error);
      return make(options, dissect);
    }
  };
}

// Chooses the flow engine of exporters: that in WebAssembly, which is a file beside the program, or that in TypeScript.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlowCache } from '../flow/flow-cache.ts';
import type { MakeFlowEngine } from '../flow/flow-engine.ts';
import { HAS_WASM_ORDER, wasmEngines } from '../flow/wasm-engine.ts';
import type { Logger } from '../runtime/log.ts';
import { programFolder } from '../runtime/program-folder.ts';
import { reasonOf } from '../runtime/sentence.ts';

/** The program of the engine, built from src/engine. */
const ENGINE_FILE = 'flow-engine.wasm';

/** The values of `--engine`. */
export type EngineChoice = 'auto' | 'wasm' | 'typescript';

/**
 * Returns what creates the engines of that choice. With `auto`, an exporter that cannot have the engine in WebAssembly gets that
 * in TypeScript, which is logged once; with `wasm` that is an error.
 */
export function flowEngines(choice: EngineChoice, log: Logger, folder = programFolder()): MakeFlowEngine {
  const makePlain: MakeFlowEngine = (options) => new FlowCache(options);
  if (choice === 'typescript') {
    return makePlain;
  }
  let make = makePlain;
  const fallBack = (error: unknown): void => {
    const why = `The flow engine in WebAssembly cannot be used: ${reasonOf(error)}`;
    if (choice === 'wasm') {
      throw new Error(`${why} (--engine wasm).`, { cause: error });
    }
    make = makePlain;
    log.info(`${why}; the one in TypeScript is used`);
  };
  try {
    if (!HAS_WASM_ORDER) {
      throw new Error('the machine is big-endian');
    }
    make = wasmEngines(new WebAssembly.Module(readFileSync(join(folder, ENGINE_FILE))));
  } catch (error) {
    fallBack(error);
  }
  return (options, dissect) => {
    try {
      return make(options, dissect);
    } catch (error) {
      fallBack(error);
      return makePlain(options, dissect);
    }
  };
}

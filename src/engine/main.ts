// The flow engine in WebAssembly, written in AssemblyScript: what TypeScript calls. It has the flow cache of one exporter, fills it in
// batches of samples, reads records of captures and dissects plain frames. Tests compare it with the engine in TypeScript byte by
// byte. flow/wasm-engine.ts is the other side: it writes samples into slots, and reads the flows that have expired.

export {
  addSamples,
  countOf,
  entryBehind,
  expire,
  flush,
  memoryBytes,
  nextExpiry,
  setLimits,
} from './cache';
export { dissectFrames, setTemplates } from './dissect';
export { encodeExpired } from './encode';
export {
  addRecords,
  recordsAt,
  recordsBatchEnd,
  recordsCaptured,
  recordsExpired,
  recordsLastMicros,
  recordsLeft,
  recordsOctets,
  recordsWaiting,
} from './records';
export { flowCount } from './slots';
export { head, removedCount } from './store';

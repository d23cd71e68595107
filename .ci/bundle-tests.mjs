// Bundles test files for .ci/run-tests: `node .ci/bundle-tests.mjs FOLDER FILE...` writes one JavaScript file for each process
// into FOLDER. Loading TypeScript file by file takes a process longer than most tests take.
//
// Unit tests share processes: a slow file has its own, and the others are dealt to a few. Any other file has its own.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
/** More than processors, so that a process that ends early takes another; few, because each loads the source once more. */
const SHARED_COUNT = 6;
/** Unit tests that take longer than others together; they start first. */
const SLOW = ['test/layers.test.ts'];
const OWN_PROCESS = /^test\/(?:fuzz|integration|oracle|package)\/|\/allocation\.test\.ts$/u;

/** Returns which test files each bundle has; Node starts the bundles in the order of their names. */
function planBundles(files) {
  const bundles = new Map();
  const add = (bundle, file) => bundles.set(bundle, [...(bundles.get(bundle) ?? []), file]);
  SLOW.filter((file) => files.includes(file)).forEach((file, index) => add(`unit-${index}`, file));
  files
    .filter((file) => !OWN_PROCESS.test(file) && !SLOW.includes(file))
    .forEach((file, index) => add(`unit-${SLOW.length + (index % SHARED_COUNT)}`, file));
  files.filter((file) => OWN_PROCESS.test(file)).forEach((file) => add(file.replace(/\.test\.ts$/u, ''), file));
  return bundles;
}

/** Keeps what a source file says of its own place, which is where it finds vectors and programs. */
const placesPlugin = {
  name: 'places',
  setup({ onLoad }) {
    onLoad({ filter: /\/(?:src|test)\/.*\.tsx?$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const contents = text
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href));
      return { contents, loader: path.endsWith('x') ? 'tsx' : 'ts' };
    });
  },
};

const [target, ...files] = process.argv.slice(2);
if (target === undefined || files.length === 0) {
  throw new Error('The arguments are a folder and at least one test file.');
}
const folder = resolve(target);
await rm(folder, { recursive: true, force: true });
const entryPoints = {};
for (const [bundle, tests] of planBundles(files)) {
  const entry = join(folder, `${bundle}.entry.mjs`);
  await mkdir(dirname(entry), { recursive: true });
  await writeFile(entry, tests.map((file) => `import ${JSON.stringify(resolve(file))};\n`).join(''));
  entryPoints[`${bundle}.test`] = entry;
}
await build({
  absWorkingDir: ROOT,
  entryPoints,
  outdir: folder,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // A failure shows file and line of the TypeScript source.
  sourcemap: true,
  sourcesContent: false,
  plugins: [placesPlugin],
  logLevel: 'warning',
});
await Promise.all(Object.values(entryPoints).map((entry) => rm(entry)));

// Bundles the program into dist/ovs-ipfix.cjs: one file, of which each command evaluates only what it needs.
//
// esbuild makes an import() of a bundled module lazy by giving every module behind it a function of its own. That takes
// the packet path apart, and `replay` needs more processor time for each packet. So the lower ranks of the house, which
// have all of the packet path, are bundled first, into one flat module, and the commands around that one.

import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { build, transform } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const SOURCES = join(ROOT, 'src');
const OUTPUT = join(ROOT, 'dist', 'ovs-ipfix.cjs');
/** Folders that import only each other; the rest of them is reached through one file where they have a front door. */
const LOWER_RANKS = ['runtime', 'packet', 'capture', 'ipfix', 'node-openflow', 'ovsdb-client', 'flow', 'schema', 'export', 'intake'];
const FRONT_DOORS = ['node-openflow', 'ovsdb-client'];
/** Files of the lower ranks that the entry point needs; they import nothing, and are bundled with it, too: it does not load the rest. */
const OF_ENTRY = ['runtime/safe-text.ts'];

const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minifySyntax: true,
  logLevel: 'warning',
};

/** The folder of src/ that a file is in. */
function folderOf(file) {
  return relative(SOURCES, file).split(sep)[0];
}

/** The name under which the flat module has what a file exports. */
function nameOf(file) {
  return relative(SOURCES, file)
    .replace(/\.ts$/u, '')
    .replaceAll(/[^a-z0-9]/gu, '_');
}

/** Shortens the names of variables in dependencies, which are a fifth of the program; a stack trace shows functions. */
const dependenciesPlugin = {
  name: 'dependencies',
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), { minifyIdentifiers: true, minifySyntax: true });
      return { contents: code, loader: 'js' };
    });
  },
};

async function bundleLowerRanks() {
  const files = (await readdir(SOURCES, { recursive: true }))
    .map((path) => join(SOURCES, path))
    .filter((file) => file.endsWith('.ts') && LOWER_RANKS.includes(folderOf(file)))
    .filter((file) => !FRONT_DOORS.includes(folderOf(file)) || file.endsWith(`${sep}index.ts`))
    .sort();
  const contents = files.map((file) => `export * as ${nameOf(file)} from ${JSON.stringify(file)};`).join('\n');
  const { outputFiles, metafile } = await build({
    ...OPTIONS,
    stdin: { contents, resolveDir: ROOT },
    outfile: OUTPUT,
    write: false,
    metafile: true,
    sourcemap: 'inline',
  });
  // Whatever else were in it would be in the program twice.
  const others = Object.keys(metafile.inputs).filter(
    (path) => path.startsWith('src/') && !LOWER_RANKS.includes(path.split('/')[1]),
  );
  if (others.length > 0) {
    throw new Error(`The lower ranks import ${others.join(', ')}.`);
  }
  return outputFiles[0].text;
}

/** Has the other ranks take what they import from the lower ones out of the flat module. */
function lowerRanksPlugin(flatModule) {
  const FLAT = 'ovs-ipfix-lower-ranks';
  return {
    name: 'lower-ranks',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir, namespace }) => {
        const file = join(resolveDir, path);
        if (namespace !== 'file' || !file.startsWith(SOURCES + sep)) {
          return undefined;
        }
        return LOWER_RANKS.includes(folderOf(file)) && !OF_ENTRY.includes(relative(SOURCES, file)) ? { path: nameOf(file), namespace: 'lower-rank' } : undefined;
      });
      onLoad({ filter: /.*/, namespace: 'lower-rank' }, ({ path }) => ({
        contents: `module.exports = require('${FLAT}').${path};`,
        resolveDir: ROOT,
      }));
      onResolve({ filter: new RegExp(`^${FLAT}$`) }, () => ({ path: FLAT, namespace: 'flat' }));
      onLoad({ filter: /.*/, namespace: 'flat' }, () => ({ contents: flatModule, resolveDir: ROOT }));
    },
  };
}

await build({
  ...OPTIONS,
  entryPoints: [join(SOURCES, 'main.ts')],
  outfile: OUTPUT,
  plugins: [lowerRanksPlugin(await bundleLowerRanks()), dependenciesPlugin],
  sourcemap: true,
  // Names stay, and lines stay short, so that a stack trace from a user says something without the source map.
  minifyWhitespace: true,
  lineLimit: 160,
});

// Bundles the program: dist/ovs-ipfix.cjs, the entry point, and dist/parts/, from which each command loads what it needs. Node
// compiles all of a file, so a command is not in a file with what it does not use.
//
// esbuild puts modules that the same commands reach into one part, and the modules of a part into one scope. The packet path must
// be in one scope whatever reaches it: across parts, its calls are not inlined, and `replay` needs more processor time for each
// packet. So it is bundled first, into one module. esbuild makes such parts of ES modules only; the last step turns each into
// CommonJS, which Node loads faster.

import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, relative } from 'node:path';
import { build, transform } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const SOURCES = join(ROOT, 'src');
const OUTPUT = join(ROOT, 'dist');
/** The packet path is these files with all that they import. */
const PACKET_PATH = ['src/capture/capture-reader.ts', 'src/export/exporter.ts', 'src/flow/wasm-engine.ts'];
/** Modules of Node that are loaded when one of their exports is first used: most calls of the program do without. */
const LOADED_WHEN_USED = ['assert', 'child_process', 'crypto', 'dgram', 'dns', 'dns/promises', 'fs/promises', 'http', 'https', 'net', 'tls', 'tty', 'zlib'];

const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minifySyntax: true,
  logLevel: 'warning',
};

/** Returns the text of a module with the whole packet path, and the names that its files export. */
async function bundlePacketPath() {
  const { metafile } = await build({ ...OPTIONS, entryPoints: PACKET_PATH, outdir: OUTPUT, write: false, metafile: true });
  const files = Object.keys(metafile.inputs).sort();
  const others = files.filter((file) => !file.startsWith('src/'));
  if (others.length > 0) {
    throw new Error(`The packet path imports ${others.join(', ')}, which would be in the program twice.`);
  }
  const { metafile: alone } = await build({ ...OPTIONS, bundle: false, entryPoints: files, outdir: OUTPUT, write: false, metafile: true });
  const exportsOf = new Map(Object.values(alone.outputs).map(({ entryPoint, exports }) => [join(ROOT, entryPoint), exports]));
  const { outputFiles } = await build({
    ...OPTIONS,
    stdin: { contents: [...exportsOf].map(([file, names]) => exportText(file, names, names.map((name) => nameOf(file, name)))).join('\n'), resolveDir: ROOT },
    write: false,
    sourcemap: 'inline',
  });
  return { contents: outputFiles[0].text, exportsOf };
}

/** The name under which the module of the packet path exports what a file exports. */
function nameOf(file, name) {
  return `${relative(SOURCES, file).replace(/\.ts$/u, '').replaceAll(/[^a-z0-9]/gu, '_')}__${name}`;
}

function exportText(from, names, exported) {
  return `export { ${names.map((name, index) => `${name} as ${exported[index]}`).join(', ')} } from ${JSON.stringify(from)};`;
}

/** Has all other files import the packet path from its module. */
function packetPathPlugin({ contents, exportsOf }) {
  return {
    name: 'packet-path',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const file = join(resolveDir, path);
        return exportsOf.has(file) ? { path: file, namespace: 'of-packet-path' } : undefined;
      });
      onLoad({ filter: /.*/, namespace: 'of-packet-path' }, ({ path }) => {
        const names = exportsOf.get(path);
        return { contents: exportText('packet-path', names.map((name) => nameOf(path, name)), names), resolveDir: ROOT };
      });
      onResolve({ filter: /^packet-path$/ }, () => ({ path: 'packet-path', namespace: 'packet-path' }));
      onLoad({ filter: /.*/, namespace: 'packet-path' }, () => ({ contents, resolveDir: ROOT }));
    },
  };
}

/** Has modules of Node loaded when one of their exports is first used. */
const builtinsPlugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(node:)?(${LOADED_WHEN_USED.join('|')})$`) }, ({ path, namespace }) =>
      namespace === 'builtin' ? { path, external: true } : { path: path.replace(/^node:/u, ''), namespace: 'builtin' },
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
      const builtin = createRequire(import.meta.url)(path);
      const start = typeof builtin === 'function' ? 'exports = module.exports = (...args) => load()(...args);' : '';
      return {
        contents: `let loaded;
          const load = () => (loaded ??= require('node:${path}'));
          ${start}
          for (const name of ${JSON.stringify(Object.keys(builtin))}) {
            Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] });
          }`,
      };
    });
  },
};

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

/**
 * Turns an ES module that esbuild has written into CommonJS. esbuild's own conversion reads each import through two getters; as no
 * part imports one that imports it, they are constants here. The number of lines stays, for the source map.
 */
function toCommonJs(text) {
  const converted = text
    .replaceAll(/^import \{([^}]*)\} from ("[^"]+");$/gmu, (_, names, from) => `const {${names.replaceAll(' as ', ': ')}} = require(${from});`)
    .replaceAll(/^import (?:\* as )?(\w+) from ("[^"]+");$/gmu, 'const $1 = require($2);')
    .replaceAll(/^import ("[^"]+");$/gmu, 'require($1);')
    .replaceAll(/\bimport\(("\.[^"]+")\)/gu, 'Promise.resolve().then(() => require($1))')
    .replaceAll(/^export \{([^}]*)\};$/gmu, (_, names) => `module.exports = {${names.replaceAll(/(\S+) as ([^\s,]+)/gu, '$2: $1')}};`);
  const left = /^(?:import|export)\b.*$/mu.exec(converted);
  if (left !== null) {
    throw new Error(`"${left[0]}" was not turned into CommonJS.`);
  }
  return converted;
}

const { outputFiles } = await build({
  ...OPTIONS,
  entryPoints: { 'ovs-ipfix': join(SOURCES, 'main.ts') },
  outdir: OUTPUT,
  outExtension: { '.js': '.cjs' },
  chunkNames: 'parts/[name]-[hash]',
  splitting: true,
  write: false,
  sourcemap: 'inline',
  plugins: [packetPathPlugin(await bundlePacketPath()), builtinsPlugin, dependenciesPlugin],
});
await rm(join(OUTPUT, 'parts'), { recursive: true, force: true });
await mkdir(join(OUTPUT, 'parts'), { recursive: true });
for (const { path, text } of outputFiles) {
  const { code, map } = await transform(toCommonJs(text), {
    target: 'node20',
    sourcemap: 'external',
    sourcefile: path,
    // Names stay, and lines stay short, so that a stack trace from a user says something without the source map.
    minifyWhitespace: true,
    lineLimit: 160,
  });
  await writeFile(path, `${code}//# sourceMappingURL=${basename(path)}.map\n`);
  await writeFile(`${path}.map`, map);
}
await chmod(join(OUTPUT, 'ovs-ipfix.cjs'), 0o755);

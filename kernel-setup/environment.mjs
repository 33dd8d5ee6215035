// Writes the generated tables of environment.md from the files that pin the versions, and a committed result; --check only
// compares.
//
//   node kernel-setup/environment.mjs [--check]
import './setup/node-version.mjs';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const read = (path) => readFileSync(new URL(path, root), 'utf8');
const page = fileURLToPath(new URL('environment.md', root));

/** Why each direct dependency is there. One that has no reason here is an error. */
const reasons = {
  '@biomejs/biome': 'linter and formatter',
  '@expo-google-fonts/source-sans-3':
    'the font of charts: a bare machine has none, and text would be drawn as empty boxes',
  '@julusian/jpeg-turbo': "libjpeg-turbo, which decodes slides' tiles and encodes patches; only its library is loaded",
  '@tensorflow/tfjs-core': 'the core that tfjs-node-gpu runs on: its types, and the same version',
  '@tensorflow/tfjs-node': 'a local package that re-exports tfjs-node-gpu, so that danfojs-node shares its TensorFlow',
  '@tensorflow/tfjs-node-gpu': 'TensorFlow in Node; its C++ addon is compiled here against the TensorFlow wheel',
  '@types/node': "types of Node's own modules",
  '@types/yauzl': 'types of yauzl',
  '@uwdata/flechette': 'Arrow for arquero; the newest version whose dependencies the registry has',
  arquero: 'the patch index, splits, counts and the tables behind charts',
  'cmake-js':
    'an empty local package: @julusian/jpeg-turbo would compile with it, which is not needed; the real one brings about a hundred packages',
  'danfojs-node': 'the results tables that people read and export',
  'fs-native-extensions':
    'file locks that the operating system releases when their process ends, also by a kill; Node has none',
  koffi:
    "calls the C libraries that read slides: OpenSlide, libjpeg-turbo and the project's own (kernel-setup/native/slide-library)",
  'markdown-it': 'renders the model cards of a published site; typedoc brings it anyway',
  'node-api-headers': 'headers to compile the addon against, the same for every version of Node',
  'fast-png': 'reads palette indices of PNGs (the classes of masks), where other libraries give colors',
  'playwright-core': 'drives Chromium in the tests that look at JupyterLab and at rendered pages',
  sharp: 'reads and writes images; draws charts to PNG',
  tslab: 'the TypeScript kernel; the launcher depends on its internals, so it is pinned exactly',
  typedoc: "the API pages, from the docstrings; runs on tslab's TypeScript, since version 7 has no JavaScript API",
  typescript: "compiles src/; cells are compiled by tslab's own TypeScript 5.0.4",
  'umap-js': 'embedding maps',
  vega: 'draws charts without a browser',
  'vega-lite': 'the language of the charts',
  vitest: 'runs the tests',
  xlsx: 'an empty local package: danfojs-node asks for it, the project does not use it, and it has known vulnerabilities',
  yaml: 'reads matrices, with the line of each value for error messages',
  yauzl: 'reads zip archives: weights files of PyTorch and NumPy',
  zod: 'schemas and types of definitions, lock files and manifests; one error for each wrong field',
  zeromq: "the kernel's messages; ships its binary, so no install script runs",
  jupyterlab: 'the notebook in the browser',
  papermill: 'runs a notebook headless, with parameters',
  nbconvert: 'renders a notebook to HTML',
  jupytext: 'pairs each notebook with a script that compilers and people can read',
  nbclient: "papermill's client to the kernel",
  'openslide-bin': "OpenSlide's library, which reads whole-slide images",
  snakemake: 'runs matrices of notebooks, here or on a cluster',
  'snakemake-executor-plugin-slurm': "Snakemake's jobs under SLURM",
  'tensorflow-cpu': "TensorFlow's libraries and headers for the CPU (Linux x86-64)",
  tensorflow: 'the same with CUDA on Linux x86-64; the CPU wheel on Linux arm64 and macOS arm64',
};

function reasonFor(name) {
  if (reasons[name]) return reasons[name];
  throw new Error(`environment.mjs gives no reason for ${name}: add one to its list`);
}

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Packages that a requirements file pins, as [name, version]. */
const pins = (path) =>
  [...read(path).matchAll(/^([\w-]+)(?:\[[\w-]+\])?==([^\s;\\]+)/gm)].map(([, name, version]) => [name, version]);

function npmTable() {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'));
  const rows = Object.entries({ ...dependencies, ...devDependencies }).map(([name, wanted]) => {
    const local = /^file:(.*)/.exec(wanted)?.[1];
    return [name, local ? `\`${local}\`` : wanted, reasonFor(name)];
  });
  const locked = Object.keys(JSON.parse(read('package-lock.json')).packages).length - 1;
  return `${table(['npm package', 'version', 'why'], rows)}\n\n${locked} packages in all are pinned with their checksums by package-lock.json.`;
}

function pythonTable() {
  const rows = pins('kernel-setup/python/requirements.in').map(([name, version]) => [name, version, reasonFor(name)]);
  const locked = new Set(pins('kernel-setup/python/requirements.txt').map(([name]) => name)).size;
  return `${table(['Python package', 'version', 'why'], rows)}\n\n${locked} packages in all are pinned with their checksums by kernel-setup/python/requirements.txt.`;
}

function tensorflowTable() {
  const wheels = pins('kernel-setup/python/tensorflow-cpu.txt').map(([name, version]) => [
    name,
    version,
    reasonFor(name),
  ]);
  const libraries = pins('kernel-setup/python/tensorflow-gpu.txt').filter(([name]) => name.startsWith('nvidia-'));
  return [
    table(['wheel', 'version', 'why'], wheels),
    'Libraries that the CUDA wheel requires:',
    table(['wheel', 'version'], libraries),
  ].join('\n\n');
}

/** What the committed result of `npm run bench -- process-growth` says. */
function growthTable() {
  const result = new URL('bench/results/process-growth.json', root);
  if (!existsSync(result))
    return 'The growth to eight processes was not measured yet: `npm run bench -- process-growth`.';
  const { work, machine, rows } = JSON.parse(readFileSync(result, 'utf8'));
  const cells = rows.map(({ processes, ms, imagesPerSecond, communicationShare, summedBytes }) => [
    processes,
    ms.toFixed(0),
    imagesPerSecond.toFixed(1),
    `${(100 * communicationShare).toFixed(0)} %`,
    (summedBytes / 1e6).toFixed(1),
  ]);
  const head = ['processes', 'step, ms', 'images a second', 'communication', 'MB summed a step'];
  const [what] = work.split('; ');
  return (
    `${what}, ${machine.cpu} (\`npm run bench -- process-growth\`). More processes than cores cannot be faster; ` +
    `communication is what a step takes longer than one in which the processes do not wait for each other:\n\n${table(head, cells)}`
  );
}

const generators = {
  growth: growthTable,
  node: () => `Node \`${JSON.parse(read('package.json')).engines.node}\`.`,
  npm: npmTable,
  python: pythonTable,
  tensorflow: tensorflowTable,
};

/** The page's text with every generated part regenerated. */
export function generated(text) {
  const made = new Set();
  const result = text.replace(/(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g, (_all, begin, name, end) => {
    if (!generators[name])
      throw new Error(`environment.md has a marker for the generated part "${name}", which does not exist`);
    made.add(name);
    return `${begin}${generators[name]()}\n${end}`;
  });
  const forgotten = Object.keys(generators).find((name) => !made.has(name));
  if (forgotten) throw new Error(`environment.md has no marker for the generated part "${forgotten}"`);
  return result;
}

async function main() {
  const { writeWhole } = await import('./setup/state.mjs');
  const text = readFileSync(page, 'utf8');
  const wanted = generated(text);
  if (text === wanted) return 0;
  if (process.argv.includes('--check')) {
    console.error(
      'environment.md does not say what is pinned, or what the committed result says\n  Remedy: node kernel-setup/environment.mjs',
    );
    return 1;
  }
  writeWhole(page, wanted);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();

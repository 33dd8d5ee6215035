/**
 * Checks that notebooks are source: paired with a script that says the same, without outputs, with types that hold.
 *
 *     node kernel-setup/check-notebooks.mjs          exits 1 and says what is wrong and where
 *     node kernel-setup/check-notebooks.mjs --sync   brings each pair into line (the file changed last wins) and takes
 *                                                    the outputs out; then checks
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const kernelspec = { name: 'pathlab', display_name: 'TypeScript (pathlab)', language: 'typescript' };
const pairing = 'ipynb,ts:percent';
const syncCommand = 'node kernel-setup/check-notebooks.mjs --sync';

/** What is wrong with a project's notebooks, one sentence each; empty when all is well. */
export function checkNotebooks(root = project) {
  const folder = join(root, 'notebooks');
  const names = notebookNames(folder);
  if (names.length === 0) return [`${folder} holds no notebook`];
  const problems = names.flatMap((name) =>
    sourceProblems(readNotebook(folder, name)).map((problem) => `${name}.ipynb: ${problem}`),
  );
  return [...problems, ...pairProblems(root, names), ...compilerProblems(root), ...linterProblems(root)];
}

function notebookNames(folder) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ipynb'))
    .map((file) => basename(file, '.ipynb'))
    .sort();
}

function readNotebook(folder, name) {
  return JSON.parse(readFileSync(join(folder, `${name}.ipynb`), 'utf8'));
}

/** What keeps a notebook from being source, whatever its script says. */
export function sourceProblems({ metadata, cells }) {
  const problems = metadata.papermill ? ['it has metadata of a papermill run'] : [];
  for (const [field, value] of Object.entries(kernelspec)) {
    if (metadata.kernelspec?.[field] !== value) problems.push(`metadata.kernelspec.${field} must be "${value}"`);
  }
  if (metadata.jupytext?.formats !== pairing) problems.push(`metadata.jupytext.formats must be "${pairing}"`);
  const count = cells.filter((cell) => cell.metadata?.tags?.includes('parameters')).length;
  if (count !== 1) problems.push(`exactly one cell must carry the tag "parameters"; ${count} do`);
  cells.forEach((cell, index) => {
    const faults = [
      cell.outputs?.length > 0 && 'has outputs',
      cell.execution_count != null && 'has an execution count',
      cell.metadata?.papermill && 'has metadata of a papermill run',
      cell.metadata?.execution && 'has times of a run',
      cell.metadata?.tags?.includes('injected-parameters') && 'was injected by papermill',
    ].filter(Boolean);
    if (faults.length > 0) problems.push(`${nameOf(cell, index)} ${faults.join(' and ')}; run: ${syncCommand}`);
  });
  return problems;
}

/** Where a notebook and its script differ. */
export function pairProblems(root, names) {
  const folder = join(root, 'notebooks');
  const scripts = readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => basename(file, '.ts'));
  const paired = names.filter((name) => scripts.includes(name));
  const cellsOf = cellsOfScripts(
    root,
    paired.map((name) => join(folder, `${name}.ts`)),
  );
  return [
    ...names.filter((name) => !scripts.includes(name)).map((name) => `${name}.ts is missing; run: ${syncCommand}`),
    ...scripts.filter((name) => !names.includes(name)).map((name) => `${name}.ts has no notebook beside it`),
    ...paired.flatMap((name, index) => {
      const difference = firstDifference(readNotebook(folder, name).cells, cellsOf[index]);
      return difference ? [`${name}.ipynb and ${name}.ts differ, first at ${difference}; run: ${syncCommand}`] : [];
    }),
  ];
}

/** The cells of percent-format scripts, as jupytext reads them. */
function cellsOfScripts(root, paths) {
  const program =
    'import json, sys, jupytext; print(json.dumps([jupytext.read(path, fmt="ts:percent").cells for path in sys.argv[1:]]))';
  return JSON.parse(runPython(root, '-c', program, ...paths));
}

function firstDifference(cells, others) {
  for (let index = 0; index < Math.max(cells.length, others.length); index++) {
    const [one, other] = [cells[index], others[index]];
    if (!one || !other || content(one) !== content(other)) return nameOf(one ?? other, index);
  }
  return undefined;
}

function content(cell) {
  return JSON.stringify([cell.cell_type, textOf(cell), cell.metadata?.tags ?? []]);
}

function textOf(cell) {
  return Array.isArray(cell.source) ? cell.source.join('') : cell.source;
}

function nameOf(cell, index) {
  return `cell ${index + 1} ("${textOf(cell).split('\n', 1)[0].slice(0, 60)}")`;
}

/** The compiler reads the scripts strictly, against src/ and not against what was built of it before. */
export function compilerProblems(root) {
  return toolProblems(root, 'tsc', '-p', 'notebooks/tsconfig.json');
}

export function linterProblems(root) {
  return toolProblems(root, 'biome', 'check', 'notebooks');
}

function toolProblems(root, tool, ...words) {
  const path = join(root, 'node_modules', '.bin', tool);
  const { status, stdout, stderr, error } = spawnSync(path, words, { cwd: root, encoding: 'utf8' });
  if (error) return [`${tool} could not be run (${error.message}); run: npm run setup`];
  return status === 0 ? [] : [`${tool} finds faults in notebooks/:\n${stdout}${stderr}`.trimEnd()];
}

function runPython(root, ...words) {
  const path = join(root, '.venv', 'bin', 'python');
  if (!existsSync(path)) throw new Error(`${path} is missing; run: npm run setup`);
  const { status, stdout, stderr } = spawnSync(path, words, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`jupytext failed:\n${stderr}`);
  return stdout;
}

/** Pairs script and notebook, the one changed last winning, and takes out what running left in the notebook. */
export function syncNotebooks(root = project) {
  const folder = join(root, 'notebooks');
  for (const name of notebookNames(folder)) {
    const path = join(folder, `${name}.ipynb`);
    runPython(root, '-m', 'jupytext', '--quiet', '--sync', path);
    const notebook = readNotebook(folder, name);
    delete notebook.metadata.papermill;
    notebook.cells = notebook.cells.filter((cell) => !cell.metadata?.tags?.includes('injected-parameters'));
    for (const cell of notebook.cells) {
      delete cell.metadata.papermill;
      delete cell.metadata.execution;
      if (cell.cell_type === 'code') Object.assign(cell, { outputs: [], execution_count: null });
    }
    writeFileSync(`${path}.partial`, `${JSON.stringify(notebook, null, 1)}\n`);
    renameSync(`${path}.partial`, path);
    // The script loses the injected cell too, and must not look older than the notebook that was just cleaned.
    runPython(root, '-m', 'jupytext', '--quiet', '--to', 'ts:percent', '--output', join(folder, `${name}.ts`), path);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    if (process.argv.includes('--sync')) syncNotebooks();
    const problems = checkNotebooks();
    for (const problem of problems) console.error(problem);
    if (problems.length === 0) console.log('notebooks: all paired, without outputs, types and lint in order');
    else process.exitCode = 1;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

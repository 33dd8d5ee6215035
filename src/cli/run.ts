import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { InterruptedError, projectRoot, writeFileAtomic } from '../base/index.js';
import { type ResultsParameters, resultsInputs, resultsNotebook } from '../experiments/index.js';
import { attemptIn, lockFolder, type Metric, runFolderFor } from '../runs/index.js';
import {
  describeParameters,
  type Notebook,
  notebookNames,
  openNotebook,
  parametersOfTexts,
  resolveParameters,
} from './notebooks.js';
import { writePage } from './page.js';
import { papermill } from './papermill.js';
import { placeOfRun, processesOfRun, requeueCode, trainWithJob } from './run-in-job.js';
import { scaleSettings } from './scale-settings.js';
import { UsageError } from './usage-error.js';

export const runUsage = `usage: npm run notebook -- NAME [-p key value ...]
       npm run notebook -- --matrix FILE [--dry-run]   (--matrix --help)

Runs all cells of a notebook and writes the executed notebook and its page to
results/runs/<notebook>-<scale>-<hash>/. \`npm run notebook -- NAME --help\` lists the parameters of a notebook.`;

export interface NotebookRun {
  /** The run folder. */
  folder: string;
  status: 'finished' | 'failed' | 'interrupted';
  /** The rendered page; undefined if papermill could not start. */
  page: string | undefined;
}

/**
 * Runs a notebook headless through papermill. Its output, and a failed cell's trace, goes to the terminal; the executed
 * notebook is written as the cells finish, and is kept even if one fails. A finished run is not changed; this is its
 * next attempt. A finished page of results is taken as it is while it would read the same runs.
 *
 * @param parameters values for parameters that the notebook declares; `out` is the run folder unless it is given
 * @throws UsageError before anything runs, for an unknown notebook or parameter, a value of the wrong type, or a run that
 *   another process is writing, naming that process
 */
export async function runNotebook(
  name: string,
  parameters: Record<string, unknown> = {},
  root = projectRoot,
): Promise<NotebookRun> {
  const notebook = openNotebook(name, root);
  const resolved = resolveParameters(notebook, parameters);
  const { out } = resolved;
  const chosen = typeof out === 'string' ? chosenFolder(out, root) : await folderFor(notebook.name, resolved, root);
  const { folder } = attemptIn(chosen);
  if (folder !== chosen && out === undefined && notebook.name === resultsNotebook) {
    const page = join(chosen, 'notebook.html');
    if (existsSync(page)) {
      console.log(`No run is new, and none is gone, since ${basename(chosen)}: it is taken as it is`);
      return { folder: chosen, status: 'finished', page };
    }
  }
  if (folder !== chosen) chosenFolder(folder, root);
  await mkdir(folder, { recursive: true });
  const lock = await lockFolder(folder, 'page').catch((error: Error) => {
    throw new UsageError(error.message);
  });
  try {
    if (attemptIn(folder).folder !== folder)
      throw new UsageError(`another process has finished ${folder} in the meantime`);
    return await execute(
      notebook,
      folder,
      'out' in resolved ? { ...parameters, out: asParameter(folder) } : parameters,
    );
  } finally {
    await lock.release();
  }
}

/** The folder that a run has by default: of a page of results, that of the runs that it would read now. */
export async function folderFor(name: string, parameters: Record<string, unknown>, root: string): Promise<string> {
  if (name !== resultsNotebook) return runFolderFor(name, parameters, root);
  const inputs = await resultsInputs(parameters as unknown as ResultsParameters, root).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  return runFolderFor(name, parameters, root, inputs);
}

async function execute(notebook: Notebook, folder: string, parameters: Record<string, unknown>): Promise<NotebookRun> {
  const executed = join(folder, 'notebook.ipynb');
  const page = join(folder, 'notebook.html');
  // Results of an earlier run must not be taken for this run's.
  for (const old of [executed, page]) rmSync(old, { force: true });

  const ended = await papermill({
    input: notebook.path,
    output: executed,
    parameters,
    folder: dirname(notebook.path),
  });
  const status = ended === 'failed' && wasInterrupted(executed) ? 'interrupted' : ended;
  if (!existsSync(executed)) return { folder, status, page: undefined };
  return { folder, status, page: await finishPage(folder, status) };
}

/** Writes the page of a folder's executed notebook. */
export async function finishPage(folder: string, status: NotebookRun['status'] = 'finished'): Promise<string> {
  const executed = join(folder, 'notebook.ipynb');
  const page = join(folder, 'notebook.html');
  await markStatus(executed, status);
  const isInGallery = dirname(folder) === join(projectRoot, 'results', 'runs');
  await writePage(executed, page, isInGallery ? { gallery: '../../index.html' } : {});
  return page;
}

/** Writes the status into an executed notebook: an interrupt between two cells leaves no other trace. */
async function markStatus(path: string, status: NotebookRun['status']): Promise<void> {
  const notebook = JSON.parse(await readFile(path, 'utf8')) as { metadata?: object };
  await writeFileAtomic(
    path,
    JSON.stringify({ ...notebook, metadata: { ...notebook.metadata, pathlab: { status } } }, null, 1),
  );
}

/**
 * The run folder that the caller chose.
 *
 * @throws UsageError if the folder contains something other than a run
 */
function chosenFolder(out: string, root: string): string {
  const folder = resolve(root, out);
  const isRun = existsSync(join(folder, 'parameters.json')) || isExecuted(join(folder, 'notebook.ipynb'));
  const isTaken = existsSync(folder) && readdirSync(folder).some((name) => !name.startsWith('.')) && !isRun;
  if (out.trim() === '' || isTaken || !relative(folder, root).startsWith('..')) {
    throw new UsageError(
      `out is ${JSON.stringify(out)}, but a run needs a new or empty folder, or the folder of an earlier run`,
    );
  }
  return folder;
}

/** Whether papermill wrote this notebook: a user's own notebook is not overwritten. */
function isExecuted(path: string): boolean {
  try {
    return 'papermill' in JSON.parse(readFileSync(path, 'utf8')).metadata;
  } catch {
    return false;
  }
}

/** Whether a cell has ended because another process of its job was interrupted. */
function wasInterrupted(path: string): boolean {
  if (!existsSync(path)) return false;
  const { cells } = JSON.parse(readFileSync(path, 'utf8')) as { cells: { outputs?: { ename?: string }[] }[] };
  return cells.some(({ outputs = [] }) => outputs.some(({ ename }) => ename === InterruptedError.name));
}

/** A relative path within the project, so that a shared page shows no path of this machine. */
function asParameter(folder: string): string {
  const path = relative(projectRoot, folder);
  return path.startsWith('..') ? folder : path;
}

/**
 * `pathlab run NAME [-p key value ...]`; returns the exit code. In a job of several processes (see `placeInJob`) the first one
 * runs a pretraining notebook, and the others only train; an interrupted run then ends with `requeueCode`.
 *
 * @param options.processes see `processesOfRun`
 */
export async function main(
  args: readonly string[],
  { processes: asked }: { processes?: number } = {},
): Promise<number> {
  const { name, texts, help } = parseArguments(args);
  if (name === undefined) {
    const names = notebookNames().map((known) => `  ${known}`);
    console.log([runUsage, '', 'The notebooks are:', ...names].join('\n'));
    return help ? 0 : 1;
  }
  const notebook = openNotebook(name);
  if (help) {
    console.log(
      [runUsage, '', `${notebook.name}:`, describeParameters(notebook), ...scaleSettings(notebook.name)].join('\n'),
    );
    return 0;
  }
  const place = placeOfRun(notebook.name);
  if (place && place.index > 0) return trainWithJob(place);
  const all = [...texts, ...processesOfRun(notebook.name, texts, { asked, place })];
  const { folder, status, page } = await runNotebook(name, parametersOfTexts(notebook, all));
  console.log(`${notebook.name} ${status}`);
  if (status === 'finished') for (const line of keyNumbers(folder)) console.log(line);
  console.log(`run folder  ${relative(process.cwd(), folder)}`);
  if (page) console.log(`page        ${relative(process.cwd(), page)}`);
  return { finished: 0, failed: 1, interrupted: place ? requeueCode : 130 }[status];
}

/** The metrics of `metrics.json`, one per line. */
function keyNumbers(folder: string): string[] {
  const path = join(folder, 'metrics.json');
  if (!existsSync(path)) return [];
  const { metrics } = JSON.parse(readFileSync(path, 'utf8')) as { metrics: readonly Metric[] };
  const short = (value: number) => String(Number(value.toPrecision(4)));
  return metrics.map(({ name, value, interval, unit = '' }) => {
    const range = interval ? ` (95 % interval ${short(interval[0])} to ${short(interval[1])})` : '';
    return `${name}  ${short(value)} ${unit}`.trimEnd() + range;
  });
}

function parseArguments(args: readonly string[]) {
  const texts: [string, string][] = [];
  let name: string | undefined;
  let help = false;
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word === '-p' || word === '--parameters') {
      const [, key, joined] = /^([\w$]+)(?:=(.*))?$/s.exec(args[at + 1] ?? '') ?? [];
      const value = joined ?? args[at + 2];
      if (key === undefined || value === undefined)
        throw new UsageError(`${word} takes a name and a value, as -p epochs 2 or -p epochs=2\n${runUsage}`);
      texts.push([key, value]);
      at += joined === undefined ? 2 : 1;
    } else if (word === '-h' || word === '--help') help = true;
    else if (word.startsWith('-') || name !== undefined) throw new UsageError(`unexpected "${word}"\n${runUsage}`);
    else name = word.replace(/\.ipynb$/, '');
  }
  return { name, texts, help };
}

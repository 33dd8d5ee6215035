import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { canonicalJson, digestOfFile, projectRoot, sha256 } from '../base/index.js';
import { type Metric, type Provenance, readEvents } from '../runs/index.js';
import { type FineTuneParameters, isFineTuning } from './finetune.js';
import { casesFile } from './finetune-cases.js';
import { predictionsFile } from './finetune-kept.js';
import { fineTuningsFile, keptFineTunings } from './finetune-run.js';
import { isPretraining, type PretrainParameters } from './pretrain.js';
import type { Scale } from './pretrain-recipe.js';
import { costsFile } from './training-cost.js';

/** A finished run of a pretraining or fine-tuning notebook, its files as it left them. */
export interface ResultRun {
  /** Begins the run's hash. */
  id: string;
  folder: string;
  notebook: string;
  scale: Scale;
  provenance: Provenance;
  parameters: PretrainParameters & FineTuneParameters;
  metrics: readonly Metric[];
  /** SHA-256 of its provenance, which has those of its files. */
  digest: string;
}

/** A run, or a part of one, that is not in the tables, and why. */
export interface LeftOut {
  name: string;
  reason: string;
}

/**
 * The finished pretraining and fine-tuning runs in folders, each once, in an order that does not depend on where they are.
 * Before a run is used, the files that results are taken from are compared with the hashes in its provenance. Runs of other
 * notebooks are passed over.
 *
 * @param folders runs, or folders with runs in them at some depth; relative ones start at `root`
 * @throws RangeError for a folder that is not there
 */
export async function readResultRuns(
  folders: readonly string[],
  root = projectRoot,
): Promise<{ runs: ResultRun[]; leftOut: LeftOut[] }> {
  const found = new Map<string, ResultRun>();
  const leftOut = new Map<string, string>();
  for (const path of [...new Set(folders.flatMap((folder) => foldersOfRuns(resolve(root, folder), folder)))].sort()) {
    const name = nameOf(path, root);
    const run = await readRun(path).catch((error: Error) => error.message);
    if (typeof run === 'string') leftOut.set(name, run);
    // Copies are one run; the one in the project has a page to link to.
    else if (run && !(found.has(run.digest) && isInside(found.get(run.digest)!.folder, root)))
      found.set(run.digest, run);
  }
  const runs = latestAttempts([...found.values()], (run, reason) => leftOut.set(nameOf(run.folder, root), reason));
  return {
    runs,
    leftOut: [...leftOut].map(([name, reason]) => ({ name, reason })).sort(byName),
  };
}

const byName = (one: LeftOut, other: LeftOut) => (one.name < other.name ? -1 : 1);

/** What decides a page of results: the runs, and what is left out. */
export function digestOfRuns({ runs, leftOut }: { runs: readonly ResultRun[]; leftOut: readonly LeftOut[] }): string {
  return sha256(canonicalJson({ runs: runs.map(({ digest }) => digest).sort(), leftOut }));
}

const isInside = (path: string, folder: string) => path.startsWith(`${folder}${sep}`);

/** A path in the project, or the last parts of another, so that pages show no path of a machine. */
export function nameOf(path: string, root = projectRoot): string {
  return isInside(path, root) ? relative(root, path) : path.split(sep).slice(-2).join('/');
}

/** Deep enough for results/evidence/SET/RUN and copies of results/ in a folder of their own. */
const maxDepth = 5;

/** @param above where the folders are that this one is in: links are followed, and not back into these */
function foldersOfRuns(folder: string, asked: string, above: readonly string[] = []): string[] {
  const depth = above.length;
  if (!existsSync(folder)) {
    if (depth === 0 && asked !== defaultFrom) throw new RangeError(`from: there is no folder ${asked}`);
    return [];
  }
  if (['provenance.json', 'parameters.json'].some((name) => existsSync(join(folder, name)))) return [folder];
  const here = realpathSync(folder);
  if (depth === maxDepth || above.includes(here)) return [];
  return readdirSync(folder)
    .map((name) => ({ name, path: join(folder, name) }))
    .filter(({ name, path }) => !name.startsWith('.') && existsSync(path) && statSync(path).isDirectory())
    .flatMap(({ path }) => foldersOfRuns(path, asked, [...above, here]));
}

/** Where runs are sought by default. */
export const defaultFrom = 'results';

/** @throws Error with the reason why a run is left out; undefined for other notebooks' */
async function readRun(folder: string): Promise<ResultRun | undefined> {
  const path = join(folder, 'provenance.json');
  if (!existsSync(path)) {
    if (isOfTables(await openedBy(folder))) throw new Error('it is not finished');
    return undefined;
  }
  const text = readFileSync(path);
  const provenance = parsed(text.toString(), 'provenance.json') as unknown as Provenance;
  const { notebook, runHash, files, edited } = provenance;
  if (!isOfTables(notebook)) return undefined;
  if (typeof runHash !== 'string' || !files || !Array.isArray(edited)) {
    throw new Error('its provenance.json has no hashes of files: an earlier version of pathlab made it');
  }
  if (edited.length > 0) throw new Error("it was edited: cells were run that are not the notebook's");
  const needed = [
    'parameters.json',
    'metrics.json',
    costsFile,
    ...(isFineTuning(notebook) ? [casesFile, fineTuningsFile] : []),
  ];
  await requireUnchanged(folder, provenance, needed);
  if (isFineTuning(notebook)) await requireUnchanged(folder, provenance, keptFineTunings(folder).map(predictionsFile));
  const read = (name: string) => parsed(readFileSync(join(folder, name), 'utf8'), name);
  const parameters = read('parameters.json') as unknown as ResultRun['parameters'];
  const { metrics } = read('metrics.json') as { metrics: Metric[] };
  const wrong = metrics.find(({ value, interval = [] }) => ![value, ...interval].every(Number.isFinite));
  if (wrong) throw new Error(`its metric "${wrong.name}" is ${wrong.value}, not a number`);
  if (parameters.scale !== provenance.scale) {
    throw new Error(`its scale is ${provenance.scale} in provenance.json and ${parameters.scale} in parameters.json`);
  }
  const { scale } = parameters;
  return { id: runHash.slice(0, 8), folder, notebook, scale, provenance, parameters, metrics, digest: sha256(text) };
}

const isOfTables = (notebook: string | undefined) =>
  notebook !== undefined && (isPretraining(notebook) || isFineTuning(notebook));

/** The notebook of an unfinished run. */
async function openedBy(folder: string): Promise<string | undefined> {
  const log = join(folder, 'events.jsonl');
  if (!existsSync(log)) return undefined;
  try {
    for await (const { kind, notebook } of readEvents(log)) if (kind === 'opened') return notebook as string;
  } catch {
    // A log that cannot be read is of no run that could be named.
  }
  return undefined;
}

/** @throws Error that names the first file that is not as the run left it */
async function requireUnchanged(folder: string, { files }: Provenance, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (files[name] === undefined) throw new Error(`it keeps no ${name}: an earlier version of pathlab made it`);
    if (!existsSync(join(folder, name))) throw new Error(`${name} is missing`);
    if ((await digestOfFile(join(folder, name))) !== files[name]) throw new Error(`${name} has changed since the run`);
  }
}

function parsed(text: string, name: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Of several attempts of one run, the one that ended last; sorted. */
function latestAttempts(runs: ResultRun[], leaveOut: (run: ResultRun, reason: string) => void): ResultRun[] {
  const chosen = new Map<string, ResultRun>();
  for (const run of runs.sort(byEnd)) {
    const earlier = chosen.get(run.provenance.runHash);
    if (earlier) leaveOut(earlier, 'a later attempt of the same run is here');
    chosen.set(run.provenance.runHash, run);
  }
  return [...chosen.values()].sort((one, other) =>
    one.notebook < other.notebook ? -1 : one.notebook > other.notebook ? 1 : byEnd(one, other),
  );
}

export function byEnd(one: ResultRun, other: ResultRun): number {
  const at = ({ provenance: { ended }, digest }: ResultRun) => `${ended} ${digest}`;
  return at(one) < at(other) ? -1 : 1;
}

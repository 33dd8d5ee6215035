import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sha256, syncFolder, temporaryName } from '../../base/index.js';
import { type Metric, readEvents } from '../../runs/index.js';
import { type FinishedRun, readOfRun } from '../finished-run.js';
import { UsageError } from '../usage-error.js';
import { toYaml } from '../yaml.js';
import type { ChosenRun } from './choose-runs.js';

/** @throws UsageError for a folder that has something in it */
export function requireNoStore(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new UsageError(`${folder} is not empty`);
}

/**
 * Writes runs as an MLflow file store (`mlflow ui --backend-store-uri FOLDER`): an experiment a notebook; of a run its
 * metrics with the values of its steps, parameters, and as artifacts its own folder, which stays where it is.
 *
 * @param folder new or empty
 * @returns a sentence on what was written
 */
export async function writeMlflow(folder: string, runs: readonly ChosenRun[]): Promise<string> {
  requireNoStore(folder);
  const built = temporaryName(folder);
  try {
    for (const each of runs) await writeRun(built, folder, each);
    await rm(folder, { recursive: true, force: true });
    await rename(built, folder);
    await syncFolder(dirname(folder));
  } finally {
    await rm(built, { recursive: true, force: true });
  }
  return `${folder}: ${runs.length} ${runs.length === 1 ? 'run' : 'runs'} for MLflow`;
}

/** MLflow's ids of experiments are decimal. */
export const experimentId = (notebook: string) => BigInt(`0x${sha256(notebook).slice(0, 14)}`).toString();

/** MLflow's ids of runs have 32 hexadecimal digits; attempts of a run differ in the name of their folder. */
export const mlflowRunId = ({ name, run }: ChosenRun) => sha256(`${run.runHash} ${name}`).slice(0, 32);

/** @param final where the store will be */
async function writeRun(store: string, final: string, chosen: ChosenRun): Promise<void> {
  const { run, name, marks } = chosen;
  const [id, experiment] = [mlflowRunId(chosen), experimentId(run.notebook)];
  const [started, ended] = [Date.parse(run.started), Date.parse(run.ended)];
  const artifacts = pathToFileURL(join(final, experiment)).href;
  await writeExperiment(join(store, experiment), { artifacts, experiment, notebook: run.notebook, started, ended });
  const folder = join(store, experiment, id);
  // A run without this folder is none for MLflow, also when its artifacts are elsewhere.
  await mkdir(join(folder, 'artifacts'), { recursive: true });
  await writeText(
    join(folder, 'meta.yaml'),
    yamlLines({
      ...{
        artifact_uri: pathToFileURL(run.folder).href,
        end_time: ended,
        entry_point_name: '',
        experiment_id: experiment,
      },
      ...{ lifecycle_stage: 'active', run_id: id, run_name: name, run_uuid: id, source_name: '', source_type: 4 },
      ...{ source_version: run.gitCommit ?? '', start_time: started, status: 3, tags: [], user_id: '' },
    }),
  );
  const put = async (part: string, entries: Iterable<readonly [name: string, text: string]>) => {
    await mkdir(join(folder, part), { recursive: true });
    for (const [entry, text] of entries) {
      const path = join(folder, part, mlflowName(entry));
      if (existsSync(path))
        throw new UsageError(`MLflow cannot tell "${entry}" of ${name} from another name in ${part}`);
      await writeText(path, text);
    }
  };
  await put('metrics', await metricLines(run, ended));
  const parameters = Object.entries(run.parameters).filter(([, value]) => value !== null);
  await put(
    'params',
    parameters.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)] as const),
  );
  await put('tags', [
    ['mlflow.runName', name],
    ['mlflow.source.name', run.notebook],
    ...(run.gitCommit ? [['mlflow.source.git.commit', run.gitCommit] as const] : []),
    ...[['pathlab.runHash', run.runHash] as const, ['pathlab.scale', run.scale] as const],
    ...(marks.length > 0 ? [['pathlab.marks', marks.join('; ')] as const] : []),
  ]);
}

async function writeExperiment(
  folder: string,
  of: { artifacts: string; experiment: string; notebook: string; started: number; ended: number },
): Promise<void> {
  if (existsSync(join(folder, 'meta.yaml'))) return;
  await writeText(
    join(folder, 'meta.yaml'),
    yamlLines({
      ...{ artifact_location: of.artifacts, creation_time: of.started, experiment_id: of.experiment },
      ...{ last_update_time: of.ended, lifecycle_stage: 'active', name: of.notebook },
    }),
  );
}

/** Lines `time value step` by metric: the final ones at step 0, and those of the steps as TensorBoard has them. */
async function metricLines(run: FinishedRun, ended: number): Promise<Map<string, string>> {
  const lines = new Map<string, string>();
  const { metrics } = readOfRun<{ metrics: Metric[] }>(run.folder, 'metrics.json');
  for (const { name, value } of metrics) lines.set(name, `${ended} ${value} 0\n`);
  const log = join(run.folder, 'events.jsonl');
  if (!existsSync(log)) return lines;
  for await (const { kind, step, time = run.ended, ...values } of readEvents(log)) {
    if ((kind !== 'step' && kind !== 'evaluation') || typeof step !== 'number') continue;
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== 'number' || name === 'steps') continue;
      const key = `${kind === 'step' ? 'training' : 'evaluation'}/${name}`;
      lines.set(key, `${lines.get(key) ?? ''}${Date.parse(time)} ${value} ${step}\n`);
    }
  }
  return lines;
}

/** A name without what MLflow does not take: other than letters, digits, `_`, `-`, `.`, spaces, `:` and `/`. */
export function mlflowName(name: string): string {
  return name.replace(/[^\w./: -]+/g, '').trim();
}

const yamlLines = (fields: object) =>
  Object.entries(fields)
    .map(([name, value]) => `${name}: ${toYaml(value)}\n`)
    .join('');

async function writeText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

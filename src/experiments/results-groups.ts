import { join } from 'node:path';
import { canonicalJson, sha256 } from '../base/index.js';
import { disposeTensors, readSafetensors, type Tensors } from '../engine/index.js';
import type { PatientResults } from '../evaluate/index.js';
import { type FineTuneExperiment, type FineTuneNotebook, fineTuneExperiment } from './finetune.js';
import { digestOfCases, type KeptCases, predictedCases, readCases } from './finetune-cases.js';
import { predictionsFile } from './finetune-kept.js';
import { type FineTuneRun, keptFineTunings } from './finetune-run.js';
import { isPretraining } from './pretrain.js';
import { type GroupedTraining, type NamedTraining, namedArms, pastOf } from './results-arms.js';
import { byEnd, type LeftOut, type ResultRun } from './results-runs.js';

/**
 * Fine-tunings that may stand in one column: of one notebook and scale, with the same settings, code, patches, labels, split,
 * and test patients. Only what they begin with and their seeds differ.
 */
export interface ResultGroup {
  /** Begins a hash of all that is the same in it. */
  id: string;
  notebook: FineTuneNotebook;
  scale: string;
  /** Of its first run. */
  experiment: FineTuneExperiment<PatientResults>;
  cases: KeptCases;
  data: { name: string; sha256: string; synthetic: boolean };
  /** By what they begin with. */
  arms: Readonly<Record<string, readonly GroupedTraining[]>>;
  /** The runs of these, in order. */
  runs: readonly ResultRun[];
  /** Equal for groups that differ in the number of labels only. */
  curve: string;
}

interface FineTuned {
  run: ResultRun;
  experiment: FineTuneExperiment<PatientResults>;
  cases: KeptCases;
}

/** Groups fine-tuning runs; of those that differ in their code only, the latest is taken. */
export async function groupResults(runs: readonly ResultRun[]): Promise<{ groups: ResultGroup[]; leftOut: LeftOut[] }> {
  const leftOut: LeftOut[] = [];
  const byKey = new Map<string, FineTuned[]>();
  for (const run of runs.filter(({ notebook }) => !isPretraining(notebook))) {
    try {
      const experiment = fineTuneExperiment(
        run.notebook as FineTuneNotebook,
        run.parameters,
      ) as unknown as FineTuned['experiment'];
      const fineTuned = { run, experiment, cases: readCases(run.folder) };
      const key = canonicalJson([settingsOf(fineTuned), fineTuned.cases.labelled, run.provenance.hashes]);
      byKey.set(key, [...(byKey.get(key) ?? []), fineTuned]);
    } catch (error) {
      leftOut.push({ name: run.id, reason: (error as Error).message });
    }
  }
  const latest = latestCode([...byKey.values()], leftOut);
  const groups: ResultGroup[] = [];
  for (const members of latest) {
    const group = await groupOf(members, runs, leftOut);
    if (group) groups.push(group);
  }
  const order = ({ notebook, scale, cases: { labelled }, curve }: ResultGroup) =>
    `${['paper', 'demo', 'smoke'].indexOf(scale)} ${notebook} ${curve} ${String(labelled).padStart(9, '0')}`;
  return { groups: groups.sort((one, other) => (order(one) < order(other) ? -1 : 1)), leftOut };
}

/** All that must be the same in a column, except the code and the number of labels. */
function settingsOf({ run, experiment, cases }: FineTuned) {
  const { method, settings, batchSize, imageSize, balanced, folds, patience, testTime, warmupEpochs, tile, task } =
    experiment;
  const { seed: _, ...plain } = settings;
  const judged = { notebook: run.notebook, scale: run.scale, metric: task.main };
  const network = { backbone: method.backbone.name, method: method.settings, views: method.views };
  const training = { settings: plain, batchSize, imageSize, balanced, folds, patience, testTime, warmupEpochs, tile };
  const data = run.provenance.data.map(({ sha256 }) => sha256);
  return { ...judged, ...network, ...training, data, splits: run.provenance.splits, cases: digestOfCases(cases) };
}

function latestCode(groups: readonly FineTuned[][], leftOut: LeftOut[]): FineTuned[][] {
  const endOf = (members: readonly FineTuned[]) =>
    members
      .map(({ run }) => run)
      .sort(byEnd)
      .at(-1)!;
  const chosen = new Map<string, FineTuned[]>();
  for (const members of [...groups].sort((one, other) => byEnd(endOf(one), endOf(other)))) {
    const key = canonicalJson([settingsOf(members[0]!), members[0]!.cases.labelled]);
    for (const { run } of chosen.get(key) ?? []) {
      leftOut.push({
        name: run.id,
        reason: `other code made it than ${endOf(members).id}, which is later and has the same settings`,
      });
    }
    chosen.set(key, members);
  }
  return [...chosen.values()];
}

async function groupOf(
  members: readonly FineTuned[],
  all: readonly ResultRun[],
  leftOut: LeftOut[],
): Promise<ResultGroup | undefined> {
  const trainings = new Map<string, NamedTraining>();
  const repeated = new Map<ResultRun, number>();
  const twice = new Map<ResultRun, number>();
  const used: FineTuned[] = [];
  // A later training takes the place of an earlier one with the same seeds.
  for (const each of [...members].sort((one, other) => byEnd(one.run, other.run))) {
    const read = await trainingsOf(each, all).catch((error: Error) => error.message);
    if (typeof read === 'string') {
      leftOut.push({ name: each.run.id, reason: read });
      continue;
    }
    used.push(each);
    for (const training of read) {
      const { pretrainingSeed = null, fineTuningSeed } = training.of;
      const key = canonicalJson([training.past, pretrainingSeed, fineTuningSeed]);
      const before = trainings.get(key)?.of.run;
      const counts = before === training.of.run ? twice : repeated;
      if (before) counts.set(before, (counts.get(before) ?? 0) + 1);
      trainings.set(key, training);
    }
  }
  for (const [{ id }, count] of repeated) {
    leftOut.push({ name: id, reason: `${count} of its trainings: a later run has those of the same seeds` });
  }
  for (const [{ id }, count] of twice) {
    leftOut.push({ name: id, reason: `${count} of its trainings: others of it began with the same weights and seeds` });
  }
  const [first] = used;
  if (!first) return undefined;
  const arms: Record<string, GroupedTraining[]> = {};
  for (const [name, of] of namedArms([...trainings.values()], first.run.scale))
    arms[name] = [...(arms[name] ?? []), of];
  const { run, experiment, cases } = first;
  const [data] = run.provenance.data as readonly { name: string; sha256: string; synthetic: boolean }[];
  const runs = used
    .map((each) => each.run)
    .filter((each) =>
      Object.values(arms)
        .flat()
        .some((of) => of.run === each),
    );
  return {
    ...{ notebook: run.notebook as FineTuneNotebook, scale: run.scale, experiment, cases, data: data!, arms, runs },
    curve: sha256(canonicalJson([settingsOf(first), run.provenance.hashes])),
    id: sha256(canonicalJson([settingsOf(first), run.provenance.hashes, cases.labelled])).slice(0, 6),
  };
}

async function trainingsOf({ run, experiment, cases }: FineTuned, all: readonly ResultRun[]) {
  const asked = predictedCases(cases);
  const planned = keptFineTunings(run.folder);
  const pasts = new Map<string, Set<string>>();
  for (const { arm, start } of planned) pasts.set(arm, (pasts.get(arm) ?? new Set()).add(pastOf(start, all)));
  const read: NamedTraining[] = [];
  for (const each of planned) {
    const { arm, start, fold, seed } = each;
    const results = await resultsOf(run, each, (tensors) => experiment.task.results(tensors, asked));
    const of = {
      run,
      name: each.name,
      results,
      pretrainingSeed: start.pretrainingSeed,
      fineTuningSeed: seed * experiment.folds + fold,
    };
    read.push({ arm, past: canonicalJson([...pasts.get(arm)!].sort()), start, of });
  }
  return read;
}

async function resultsOf(
  { folder }: ResultRun,
  each: FineTuneRun,
  use: (tensors: Tensors) => Promise<PatientResults>,
): Promise<PatientResults> {
  const { tensors } = await readSafetensors(join(folder, predictionsFile(each)));
  try {
    return await use(tensors);
  } catch (error) {
    throw new Error(`predictions of ${each.name}: ${(error as Error).message}`, { cause: error });
  } finally {
    disposeTensors(tensors);
  }
}

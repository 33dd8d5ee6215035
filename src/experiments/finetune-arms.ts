import { existsSync, readFileSync } from 'node:fs';
import { basename, extname, join, relative, resolve, sep } from 'node:path';
import { projectRoot } from '../base/index.js';
import { disposeTensors } from '../engine/index.js';
import type { PatientResults } from '../evaluate/index.js';
import type { Backbone } from '../models/index.js';
import { initialWeights } from '../pretrain/index.js';
import { listRuns, type Provenance } from '../runs/index.js';
import type { FineTuneExperiment } from './finetune.js';
import type { FineTuneData } from './finetune-data.js';
import type { ArmStart, PastTraining } from './finetune-run.js';
import {
  isPretraining,
  type PretrainParameters,
  pretrainExperiment,
  pretrainingNotebooks,
  splitName,
} from './pretrain.js';
import { pastWords, weightsHistory, weightWords } from './weights-history.js';

/** Fine-tunings that begin with weights of one kind. */
export interface Arm {
  /**
   * `random`, `ImageNet`, `COCO`, what the weights of a run have been through (`ImageNet, then SimCLR`), or the name of a
   * file, with its folders where another arm has it.
   */
  name: string;
  /** One for each pretraining seed. */
  starts: readonly ArmStart[];
}

/** An arm that is left out, and why. */
export interface SkippedArm {
  name: string;
  reason: string;
}

/** Weights that an arm may begin with. */
interface Candidate {
  name: string;
  init: string;
  run?: FinishedPretraining;
  /** What `init` says that a file is trained on: a word. */
  saidToBe?: string;
}

type FinishedPretraining = Pick<Provenance, 'seed' | 'ended'> & {
  backbone: string;
  /** Its parameters besides scale and seed. */
  given: Readonly<Record<string, unknown>>;
};

/**
 * Finds the arms of an experiment: those that `init` names, or random weights, ImageNet's, and those of each finished
 * pretraining of this scale. Weights that are missing or do not fit are skipped, and so are those that were trained, in any
 * run since random weights, on the same dataset with another split, since they may have seen test patients.
 *
 * @throws RangeError for a path that `init` has twice, and an unknown word before `=`; Error that says why each is skipped, if no arm is left
 */
export async function fineTuningArms<Results extends PatientResults>(
  { method: { backbone }, init, scale }: FineTuneExperiment<Results>,
  data: Pick<FineTuneData, 'dataset' | 'split'>,
  root = projectRoot,
): Promise<{ arms: Arm[]; skipped: SkippedArm[] }> {
  const skipped: SkippedArm[] = [];
  const skip = (name: string, reason: string) => skipped.push({ name, reason });
  const found = init ? asked(init, root, skip) : defaults(scale, root, skip);
  const fitting = withOwnNames(found).filter((candidate) => {
    const reason = refusal(candidate, data, root);
    if (reason !== undefined) skip(candidate.name, reason);
    return reason === undefined;
  });
  const loaded: (Candidate & { start: ArmStart })[] = [];
  for (const candidate of fitting) {
    const start = await startOf(candidate, { backbone, split: data.split, root });
    if (typeof start === 'string') skip(candidate.name, start);
    else loaded.push({ ...candidate, start });
  }
  const arms = new Map<string, ArmStart[]>();
  for (const { name, start } of latest(toldApart(loaded), skip)) arms.set(name, [...(arms.get(name) ?? []), start]);
  if (arms.size === 0) {
    throw new Error(
      `there is no arm to fine-tune: ${skipped.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`,
    );
  }
  return { arms: [...arms].map(([name, starts]) => ({ name, starts })), skipped };
}

type Skip = (name: string, reason: string) => void;

const word = (init: string): Candidate => ({ name: weightWords[init]!, init });

function asked(init: readonly string[], root: string, skip: Skip): Candidate[] {
  const all = init.map((each) => placeAsked(each, root));
  const refuseTwice = (values: readonly string[]) => {
    const twice = values.find((value, index) => values.indexOf(value) !== index);
    if (twice !== undefined) throw new RangeError(`init has ${twice} twice: give it once`);
  };
  refuseTwice(all.map(({ place }) => place));
  refuseTwice(all.flatMap(({ place, saidToBe = place }) => (Object.hasOwn(weightWords, saidToBe) ? saidToBe : [])));
  return all.flatMap(({ place, saidToBe }): Candidate[] => {
    if (Object.hasOwn(weightWords, place)) return [word(place)];
    if (saidToBe !== undefined) return [{ name: weightWords[saidToBe]!, init: place, saidToBe }];
    const run = readPretraining(place, root, skip);
    if (run === 'unreadable') return [];
    return [run ?? { name: basename(place, extname(place)), init: place }];
  });
}

/** A word, or a path, with what is said of it: `imagenet=FILE`. A path with `=` in it that is there is a path. */
function placeAsked(init: string, root: string): { place: string; saidToBe?: string } {
  if (Object.hasOwn(weightWords, init)) return { place: init };
  const path = resolve(root, init);
  const [, said, file] = /^([^=/\\]+)=(.*)$/.exec(init) ?? [];
  if (said === undefined || existsSync(path)) return { place: path };
  if (!['imagenet', 'coco'].includes(said) || file!.trim() === '') {
    throw new RangeError(
      `init has ${init}: there is no such path, and what a file of weights was trained on is said by imagenet=FILE or coco=FILE`,
    );
  }
  return { place: resolve(root, file!.trim()), saidToBe: said };
}

function defaults(scale: string, root: string, skip: Skip): Candidate[] {
  const folders = listRuns(root).filter(
    (folder) =>
      new RegExp(`^\\d+-pretrain-.+-${scale}-[0-9a-f]{8}(-\\d+)?$`).test(basename(folder)) &&
      existsSync(join(folder, 'provenance.json')),
  );
  const runs = folders.flatMap((folder) => {
    const run = readPretraining(folder, root, skip);
    return run === undefined || run === 'unreadable' ? [] : [run];
  });
  for (const { notebook, name } of pretrainingNotebooks()) {
    if (folders.some((folder) => basename(folder).startsWith(`${notebook}-${scale}-`))) continue;
    skip(name, `no finished run of ${notebook} at ${scale} scale is in results/runs`);
  }
  return [word('random'), word('imagenet'), ...runs];
}

/** A name of an arm that a file can have. */
export function fileName(arm: string): string {
  return arm
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** Candidates with runs of the same past named by the parameters in which they differ too, where they differ in any. */
function toldApart<Of extends Candidate>(candidates: readonly Of[]): Of[] {
  return candidates.map((candidate) => {
    const { name, run } = candidate;
    if (!run) return candidate;
    const values = (parameter: string) =>
      candidates.filter((other) => other.run && other.name === name).map((other) => other.run!.given[parameter]);
    const own = Object.entries(run.given).filter(([key]) => new Set(values(key)).size > 1);
    if (own.length === 0) return candidate;
    return { ...candidate, name: `${name} (${own.map(([key, value]) => `${key} ${value}`).join(', ')})` };
  });
}

/** Candidates with files named after as many of their folders as it takes to tell them from all other arms. */
function withOwnNames(candidates: Candidate[], depth = 2): Candidate[] {
  const reserved = [...Object.values(weightWords), ...pretrainingNotebooks().map(({ name }) => name)];
  const names = [...reserved, ...candidates.map(({ name }) => name)].map(fileName);
  const clashing = candidates.filter(
    ({ name, init, run, saidToBe }) =>
      !run &&
      saidToBe === undefined &&
      !Object.hasOwn(weightWords, init) &&
      init.split(sep).length >= depth &&
      names.filter((other) => other === fileName(name)).length > 1,
  );
  if (clashing.length === 0) return candidates;
  const longer = (each: Candidate) => ({ ...each, name: each.init.split(sep).slice(-depth).join('/') });
  return withOwnNames(
    candidates.map((each) => (clashing.includes(each) ? longer(each) : each)),
    depth + 1,
  );
}

/** A finished pretraining run as an arm, skipped if unreadable; undefined for another folder, or a file. */
function readPretraining(folder: string, root: string, skip: Skip): Candidate | 'unreadable' | undefined {
  if (!existsSync(join(folder, 'provenance.json'))) return undefined;
  try {
    const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
    const { notebook, seed, ended } = read('provenance.json') as Provenance;
    if (!isPretraining(notebook)) return undefined;
    const parameters = read('parameters.json') as PretrainParameters;
    const { method } = pretrainExperiment(notebook, parameters);
    const { scale: _, seed: __, ...given } = parameters;
    const run = { seed, ended, backbone: method.backbone.name, given };
    return { name: pastWords(weightsHistory(folder, root)), init: relative(projectRoot, folder), run };
  } catch (error) {
    skip(basename(folder), (error as Error).message);
    return 'unreadable';
  }
}

/** Of several runs with the same parameters and seed, the one that ended last. */
function latest<Of extends Candidate>(candidates: readonly Of[], skip: Skip): Of[] {
  const chosen = new Map<string, Of>();
  const older = new Map<string, number>();
  for (const candidate of candidates) {
    const id = JSON.stringify([candidate.name, candidate.run ? candidate.run.seed : candidate.init]);
    const known = chosen.get(id);
    if (known) older.set(candidate.name, (older.get(candidate.name) ?? 0) + 1);
    if (!known || known.run!.ended < candidate.run!.ended) chosen.set(id, candidate);
  }
  for (const [name, count] of older) {
    const what =
      count === 1
        ? 'another run has the same parameters and seed, and is'
        : `${count} other runs have the same parameters and seeds, and are`;
    skip(name, `${what} older`);
  }
  return [...chosen.values()];
}

/**
 * What the weights of a candidate have been through.
 *
 * @throws RangeError if they are said to be published weights, and are of a run
 */
function historyOf({ init, run, saidToBe }: Candidate, root: string): (PastTraining | null)[] {
  const found = weightsHistory(run ? resolve(projectRoot, init) : init, root);
  if (saidToBe === undefined) return found;
  if (found.some((past) => past !== null)) {
    throw new RangeError(
      `it is in the folder of a finished run, which says what it is: give the path without ${saidToBe}=`,
    );
  }
  return weightsHistory(saidToBe, root);
}

/** Why weights are no arm, by the runs that made them. */
function refusal(
  candidate: Candidate,
  { dataset, split }: Pick<FineTuneData, 'dataset' | 'split'>,
  root: string,
): string | undefined {
  try {
    const leaks = historyOf(candidate, root).some(
      (past) =>
        past?.data.some(({ name, sha256 }) => name === dataset.report.dataset || sha256 === dataset.indexSha256) &&
        past.splits[splitName] !== split.sha256,
    );
    if (!leaks) return undefined;
    return `it was pretrained on ${dataset.report.dataset} with another split, and may have seen the test ${testUnits(split)}`;
  } catch (error) {
    return `what it was pretrained on cannot be read: ${(error as Error).message}`;
  }
}

const testUnits = ({ by }: FineTuneData['split']) => (by === 'patch' ? 'patches' : 'patients');

/** The start, or why there is none. */
async function startOf(
  candidate: Candidate,
  { backbone, split, root }: { backbone: Backbone; split: FineTuneData['split']; root: string },
): Promise<ArmStart | string> {
  const { init, run } = candidate;
  if (init === 'coco') return 'weights trained on COCO are not brought here: give init a file of them, as coco=FILE';
  try {
    const weights = await initialWeights(init, backbone);
    if (weights) disposeTensors(weights.model.parameters, weights.model.state);
    const trainings = historyOf(candidate, root);
    const namesOf = (past: PastTraining) => past.data.map(({ name }) => name as string);
    const unknown = `unknown: may have seen the test ${testUnits(split)}`;
    return {
      init,
      files: weights?.files ?? {},
      trainings,
      pretrainedOn: [...new Set(trainings.flatMap((past) => (past ? namesOf(past) : [unknown])))],
      labelsOf: [...new Set(trainings.flatMap((past) => (past?.supervised ? namesOf(past) : [])))],
      ...(run && { pretrainingSeed: Number(run.seed) }),
    };
  } catch (error) {
    // One network may be another with the same weights, as a dilated ResNet: only what does not load is refused.
    if (run && run.backbone !== backbone.name)
      return `its backbone is ${run.backbone}, and this page's ${backbone.name}`;
    return (error as Error).message;
  }
}

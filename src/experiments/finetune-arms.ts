import { existsSync, readFileSync } from 'node:fs';
import { basename, extname, join, relative, resolve } from 'node:path';
import { projectRoot } from '../base/index.js';
import { disposeTensors } from '../engine/index.js';
import type { PatientResults } from '../evaluate/index.js';
import type { Backbone } from '../models/index.js';
import { initialWeights } from '../pretrain/index.js';
import { listRuns, type Provenance } from '../runs/index.js';
import type { FineTuneExperiment } from './finetune.js';
import type { FineTuneData } from './finetune-data.js';
import {
  isPretraining,
  type PretrainParameters,
  pretrainExperiment,
  pretrainingNotebooks,
  splitName,
} from './pretrain.js';

/** Where the weights of an arm's trainings come from: a pretraining run, a file, or nowhere. */
export interface ArmStart {
  /** See `initialWeights`. */
  init: string;
  /** Of a pretraining run. */
  pretrainingSeed?: number;
  /** The names of the datasets that it was pretrained on; undefined if unknown. */
  pretrainedOn?: string;
  /** SHA-256 of its files, by name; none of random weights. */
  files: Readonly<Record<string, string>>;
}

/** Fine-tunings that begin with weights of one kind. */
export interface Arm {
  /** `random`, `ImageNet`, the method of a run, or the name of a file. */
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
}

type FinishedPretraining = Pick<Provenance, 'seed' | 'ended' | 'data' | 'splits'> & { backbone: string };

/**
 * Finds the arms of an experiment: those that `init` names, or random weights, ImageNet's, and those of each finished
 * pretraining of this scale. Weights that are missing or do not fit are skipped, and so is a pretraining on the same dataset
 * whose split was another, since it may have seen test patients.
 *
 * @throws Error that says why each is skipped, if no arm is left
 */
export async function fineTuningArms<Results extends PatientResults>(
  { method: { backbone }, init, scale }: FineTuneExperiment<Results>,
  data: Pick<FineTuneData, 'dataset' | 'split'>,
  root = projectRoot,
): Promise<{ arms: Arm[]; skipped: SkippedArm[] }> {
  const skipped: SkippedArm[] = [];
  const candidates = init ? init.map((each) => named(each, root)) : defaults(scale, root, skipped);
  const arms = new Map<string, ArmStart[]>();
  for (const candidate of latest(candidates, skipped)) {
    const { name, run } = candidate;
    const reason = run && refusal(run, backbone, data);
    const start = reason ?? (await startOf(candidate, backbone));
    if (typeof start === 'string') skipped.push({ name, reason: start });
    else arms.set(name, [...(arms.get(name) ?? []), start]);
  }
  if (arms.size === 0) {
    throw new Error(
      `there is no arm to fine-tune: ${skipped.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`,
    );
  }
  return { arms: [...arms].map(([name, starts]) => ({ name, starts })), skipped };
}

const words: Readonly<Record<string, string>> = { random: 'random', imagenet: 'ImageNet', coco: 'COCO' };

function named(init: string, root: string): Candidate {
  if (Object.hasOwn(words, init)) return { name: words[init]!, init };
  const path = resolve(root, init);
  return readPretraining(path) ?? { name: basename(path, extname(path)), init: path };
}

function defaults(scale: string, root: string, skipped: SkippedArm[]): Candidate[] {
  const runs = listRuns(root).flatMap((folder) => {
    const isOfScale = new RegExp(`^\\d+-pretrain-.+-${scale}-[0-9a-f]{8}(-\\d+)?$`).test(basename(folder));
    return (isOfScale && readPretraining(folder)) || [];
  });
  for (const { notebook, name } of pretrainingNotebooks()) {
    if (runs.some((run) => run.notebook === notebook)) continue;
    skipped.push({ name, reason: `no finished run of ${notebook} at ${scale} scale is in results/runs` });
  }
  return [named('random', root), named('imagenet', root), ...runs];
}

/** A finished pretraining run as an arm; undefined for another folder, or a file. */
function readPretraining(folder: string): (Candidate & { notebook: string }) | undefined {
  const path = join(folder, 'provenance.json');
  if (!existsSync(path)) return undefined;
  const provenance = JSON.parse(readFileSync(path, 'utf8')) as Provenance;
  const { notebook } = provenance;
  if (!isPretraining(notebook)) return undefined;
  const parameters = JSON.parse(readFileSync(join(folder, 'parameters.json'), 'utf8')) as PretrainParameters;
  const { method } = pretrainExperiment(notebook, parameters);
  const { scale: _, seed: __, backbone: ___, ...others } = parameters;
  const asked = Object.entries(others).map(([name, value]) => `${name} ${value}`);
  return {
    name: asked.length > 0 ? `${method.name} (${asked.join(', ')})` : method.name,
    init: relative(projectRoot, folder),
    notebook,
    run: { ...provenance, backbone: method.backbone.name },
  };
}

/** Of several runs with the same parameters and seed, the one that ended last. */
function latest(candidates: readonly Candidate[], skipped: SkippedArm[]): Candidate[] {
  const chosen = new Map<string, Candidate>();
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
    skipped.push({ name, reason: `${what} older` });
  }
  return [...chosen.values()];
}

/** Why a pretraining is no arm. */
function refusal(
  { backbone: own, data: read, splits }: FinishedPretraining,
  backbone: Backbone,
  { dataset, split }: Pick<FineTuneData, 'dataset' | 'split'>,
): string | undefined {
  if (own !== backbone.name) return `its backbone is ${own}, and this page's ${backbone.name}`;
  const isSame = read.some(({ name, sha256 }) => name === dataset.report.dataset || sha256 === dataset.indexSha256);
  if (!isSame || splits[splitName] === split.sha256) return undefined;
  return `it was pretrained on ${dataset.report.dataset} with another split, and may have seen the test ${split.by === 'patch' ? 'patches' : 'patients'}`;
}

/** The start, or why there is none. */
async function startOf({ init, run }: Candidate, backbone: Backbone): Promise<ArmStart | string> {
  if (init === 'coco') return 'weights trained on COCO are not brought here: give init a file of them';
  try {
    const weights = await initialWeights(init, backbone);
    if (weights) disposeTensors(weights.model.parameters, weights.model.state);
    return {
      init,
      files: weights?.files ?? {},
      ...(run && {
        pretrainingSeed: Number(run.seed),
        pretrainedOn: run.data.map(({ name }) => name as string).join(', '),
      }),
      ...(init === 'imagenet' && { pretrainedOn: 'ImageNet' }),
    };
  } catch (error) {
    return (error as Error).message;
  }
}

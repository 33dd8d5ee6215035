import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors, readAll, subTensors, type Tensors, withPrefix, writeSafetensors } from '../engine/index.js';
import type { ModelTensors } from '../models/index.js';
import { allFinite } from './not-finite.js';

/** Everything that a training step carries on to the next. */
export type TrainingTensors = ModelTensors & {
  /** The optimizer's state, by parameter name. */
  optimizer: Tensors;
};

export interface Checkpoint {
  tensors: TrainingTensors;
  /** Steps done. */
  step: number;
  /** Where the run's log of events stood, bytes, if it keeps one: what is behind that was lost with the run. */
  logOffset?: number;
  /** The table of the run's `ConvAlgorithms`, if it has one. */
  convAlgorithms?: Record<string, string>;
  /** The best evaluation so far, if models are compared. */
  best?: Best;
  /** Whether the evaluation after that step was interrupted, and has still to be done. */
  unevaluated?: boolean;
}

/** An evaluation that none before it reached. */
export interface Best {
  step: number;
  score: number;
}

/** Where checkpoints are kept, and which run they belong to. */
export interface CheckpointFolder {
  folder: string;
  /** How many of the last are kept; 1 by default. */
  keep?: number;
  /** Everything that decides the result, part by part: a checkpoint of which one is another is refused, and names it. */
  identity: Readonly<Record<string, string>>;
}

const format = 'pathlab-checkpoint-2';
const namePattern = /^step-(\d{8})\.safetensors$/;

/**
 * Writes `step-00000120.safetensors` whole or not at all, and then removes the oldest; or `best.safetensors`, in place of an
 * earlier one.
 *
 * @returns its path
 * @throws Error if a tensor holds a value that is not finite: the older checkpoint is worth more, and stays
 */
export async function saveCheckpoint(
  { folder, identity, keep = 1 }: CheckpointFolder,
  { tensors, step, logOffset, convAlgorithms, best, unevaluated }: Checkpoint,
  as: 'last' | 'best' = 'last',
): Promise<string> {
  const name = as === 'last' ? `step-${String(step).padStart(8, '0')}` : 'best';
  const path = join(folder, `${name}.safetensors`);
  const all = {
    ...withPrefix(tensors.parameters, 'parameters/'),
    ...withPrefix(tensors.state, 'state/'),
    ...withPrefix(tensors.optimizer, 'optimizer/'),
  };
  for (const [name, tensor] of Object.entries(all)) {
    if (!allFinite(tensor)) throw new Error(`the tensor "${name}" holds values that are not finite after step ${step}`);
  }
  const metadata = {
    format,
    identity: JSON.stringify(identity),
    step: String(step),
    ...(best && { best: JSON.stringify(best) }),
    ...(logOffset !== undefined && { logOffset: String(logOffset) }),
    ...(convAlgorithms && { convAlgorithms: JSON.stringify(convAlgorithms) }),
    ...(unevaluated && { unevaluated: 'true' }),
  };
  await writeSafetensors(path, all, metadata);
  if (as === 'best') return path;
  const older = (await checkpointsIn(folder)).filter((other) => other.step < step);
  for (const { path } of older.slice(0, older.length - keep + 1)) await rm(path, { force: true });
  return path;
}

/**
 * The checkpoint with the most steps, or `undefined` where there is none yet.
 *
 * @throws Error if it was made with other settings, or is broken
 */
export async function loadLatestCheckpoint(place: CheckpointFolder): Promise<StoredCheckpoint | undefined> {
  const path = (await checkpointsIn(place.folder)).at(-1)?.path;
  return path === undefined ? undefined : loadCheckpoint(path, place);
}

/**
 * The checkpoint of the best evaluation.
 *
 * @throws Error if there is none, it was made with other settings, or is broken
 */
export async function loadBestCheckpoint(place: CheckpointFolder): Promise<StoredCheckpoint> {
  return loadCheckpoint(join(place.folder, 'best.safetensors'), place);
}

type StoredCheckpoint = Checkpoint & { path: string };

async function loadCheckpoint(path: string, { identity }: CheckpointFolder): Promise<StoredCheckpoint> {
  const file = await openSafetensors(path);
  const { metadata } = file;
  const refuse = async (why: string) => {
    await file.close();
    throw new Error(`${path} ${why}; delete it to start over, or choose another folder`);
  };
  if (metadata.format !== format)
    await refuse(`is not a checkpoint of this version (${metadata.format} instead of ${format})`);
  const others = differences(JSON.parse(metadata.identity!) as Record<string, string>, identity);
  if (others.length > 0) await refuse(`belongs to another run, which differs in ${others.join('; ')}`);
  const tensors = await readAll(file);
  return {
    path,
    step: Number(metadata.step),
    ...(metadata.logOffset !== undefined && { logOffset: Number(metadata.logOffset) }),
    ...(metadata.convAlgorithms && { convAlgorithms: JSON.parse(metadata.convAlgorithms) }),
    ...(metadata.best && { best: JSON.parse(metadata.best) as Best }),
    ...(metadata.unevaluated && { unevaluated: true }),
    tensors: {
      parameters: subTensors(tensors, 'parameters/'),
      state: subTensors(tensors, 'state/'),
      optimizer: subTensors(tensors, 'optimizer/'),
    },
  };
}

/** The parts of an identity in which a checkpoint differs from the run. */
export function differences(
  found: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): string[] {
  const parts = [...new Set([...Object.keys(wanted), ...Object.keys(found)])];
  return parts
    .filter((part) => found[part] !== wanted[part])
    .map((part) => `${part} (${found[part] ?? 'none'} there, ${wanted[part] ?? 'none'} here)`);
}

async function checkpointsIn(folder: string): Promise<{ path: string; step: number }[]> {
  if (!existsSync(folder)) return [];
  return (await readdir(folder))
    .flatMap((name) => {
      const step = namePattern.exec(name)?.[1];
      return step === undefined ? [] : [{ path: join(folder, name), step: Number(step) }];
    })
    .sort((one, other) => one.step - other.step);
}

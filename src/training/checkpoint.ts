import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  disposeTensors,
  readSafetensors,
  subTensors,
  type Tensors,
  tf,
  withPrefix,
  writeSafetensors,
} from '../engine/index.js';
import type { ModelTensors } from '../models/index.js';

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
}

/** Where checkpoints are kept, and which run they belong to. */
export interface CheckpointFolder {
  folder: string;
  /** Everything that decides the result, part by part: a checkpoint of which one is another is refused, and names it. */
  identity: Readonly<Record<string, string>>;
}

const format = 'pathlab-checkpoint-2';
const namePattern = /^step-(\d{8})\.safetensors$/;

/**
 * Writes `step-00000120.safetensors` whole or not at all, and then removes the older ones.
 *
 * @returns its path
 * @throws Error if a tensor holds a value that is not finite: the older checkpoint is worth more, and stays
 */
export async function saveCheckpoint(
  { folder, identity }: CheckpointFolder,
  { tensors, step, logOffset, convAlgorithms }: Checkpoint,
): Promise<string> {
  const path = join(folder, `step-${String(step).padStart(8, '0')}.safetensors`);
  const all = {
    ...withPrefix(tensors.parameters, 'parameters/'),
    ...withPrefix(tensors.state, 'state/'),
    ...withPrefix(tensors.optimizer, 'optimizer/'),
  };
  for (const [name, tensor] of Object.entries(all)) {
    const finite = tf.tidy(() => tf.isFinite(tensor).all().dataSync()[0]);
    if (!finite) throw new Error(`the tensor "${name}" holds values that are not finite after step ${step}`);
  }
  const metadata = {
    format,
    identity: JSON.stringify(identity),
    step: String(step),
    ...(logOffset !== undefined && { logOffset: String(logOffset) }),
    ...(convAlgorithms && { convAlgorithms: JSON.stringify(convAlgorithms) }),
  };
  await writeSafetensors(path, all, metadata);
  for (const older of await checkpointsIn(folder)) if (older.step < step) await rm(older.path, { force: true });
  return path;
}

/**
 * The checkpoint with the most steps, or `undefined` where there is none yet.
 *
 * @throws Error if it was made with other settings, or is broken
 */
export async function loadLatestCheckpoint({
  folder,
  identity,
}: CheckpointFolder): Promise<(Checkpoint & { path: string }) | undefined> {
  const path = (await checkpointsIn(folder)).at(-1)?.path;
  if (path === undefined) return undefined;
  const { tensors, metadata } = await readSafetensors(path);
  const refuse = (why: string) => {
    disposeTensors(tensors);
    throw new Error(`${path} ${why}; delete it to start afresh, or choose another folder`);
  };
  if (metadata.format !== format) refuse(`is no checkpoint of this version (${metadata.format} instead of ${format})`);
  const others = differences(JSON.parse(metadata.identity!) as Record<string, string>, identity);
  if (others.length > 0) refuse(`is of another run, which differs in ${others.join('; ')}`);
  return {
    path,
    step: Number(metadata.step),
    ...(metadata.logOffset !== undefined && { logOffset: Number(metadata.logOffset) }),
    ...(metadata.convAlgorithms && { convAlgorithms: JSON.parse(metadata.convAlgorithms) }),
    tensors: {
      parameters: subTensors(tensors, 'parameters/'),
      state: subTensors(tensors, 'state/'),
      optimizer: subTensors(tensors, 'optimizer/'),
    },
  };
}

/** The parts of an identity in which a checkpoint differs from the run. */
function differences(found: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): string[] {
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

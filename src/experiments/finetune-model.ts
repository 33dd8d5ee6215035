import { join } from 'node:path';
import { disposeTensors, readSafetensors, type Tensors, withPrefix, writeSafetensors } from '../engine/index.js';
import type { Encoder } from '../evaluate/index.js';
import { fromTorch, type ModelTensors, toTorch } from '../models/index.js';
import type { AnyMethod } from '../pretrain/index.js';

const backboneFile = 'backbone.safetensors';
const headFile = 'head.safetensors';

/** Where the model of an arm is kept, that of its first fold and seed. */
export const modelFolder = (run: { folder: string }, { name }: { name: string }) => join(run.folder, 'models', name);

/** A fine-tuned model, for predictions. */
export interface KeptModel {
  model: ModelTensors;
  classNames: readonly string[];
  /** Side of the test patches, px. */
  imageSize: number;
}

/** Writes a fine-tuned model: the backbone with timm's names, which other trainings can begin with, and the rest. */
export async function saveModel(
  folder: string,
  { method, model, encoder }: { method: AnyMethod; model: ModelTensors; encoder: Encoder },
  { arm, run, classNames, imageSize }: { arm: string; run: string } & Omit<KeptModel, 'model'>,
): Promise<void> {
  const own = new Set([encoder.model.parameters, encoder.model.state].flatMap((tensors) => Object.values(tensors)));
  const rest = (tensors: Tensors) =>
    Object.fromEntries(Object.entries(tensors).filter(([, tensor]) => !own.has(tensor)));
  const metadata = {
    ...{ method: method.name, backbone: method.backbone.name, arm, run },
    ...{ classes: JSON.stringify(classNames), imageSize: String(imageSize) },
  };
  const files = {
    [backboneFile]: encoder.model,
    [headFile]: { parameters: rest(model.parameters), state: rest(model.state) },
  };
  for (const [name, part] of Object.entries(files)) {
    const tensors = toTorch(part);
    await writeSafetensors(join(folder, name), tensors, metadata);
    disposeTensors(tensors);
  }
}

/** Reads a model that `saveModel` wrote; the caller's to dispose of. */
export async function readModel(folder: string): Promise<KeptModel> {
  const read = async (name: string) => {
    const { tensors, metadata } = await readSafetensors(join(folder, name));
    const model = fromTorch(tensors);
    disposeTensors(tensors);
    return { model, metadata };
  };
  const backbone = await read(backboneFile);
  const head = await read(headFile);
  const joined = (part: 'parameters' | 'state') => ({
    ...withPrefix(backbone.model[part], 'backbone.'),
    ...head.model[part],
  });
  return {
    model: { parameters: joined('parameters'), state: joined('state') },
    classNames: JSON.parse(head.metadata.classes!),
    imageSize: Number(head.metadata.imageSize),
  };
}

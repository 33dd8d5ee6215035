import { join } from 'node:path';
import { disposeTensors, type Tensor, type Tensors, writeSafetensors } from '../engine/index.js';
import { joinModels, subModel, toTorch } from '../models/index.js';
import type { ExportedModel } from './exported-model.js';

export const weightsName = 'model.safetensors';

/** Writes a model's tensors in PyTorch's layout, by timm's and torchvision's names. */
export async function writeWeights(exported: ExportedModel, folder: string, run: string): Promise<void> {
  const tensors = isSegmenter(exported) ? segmenterTensors(exported) : classifierTensors(exported);
  await writeSafetensors(join(folder, weightsName), tensors, { format: 'pt', run });
  disposeTensors(tensors);
}

export const isSegmenter = ({ fineTuned }: ExportedModel) => fineTuned?.method.masks !== undefined;

/** A backbone's, and of a fine-tuned network the classifier's. */
function classifierTensors({ backbone, model, fineTuned }: ExportedModel): Tensors {
  const tensors = toTorch(model);
  if (!fineTuned) return tensors;
  const { weight, bias } = subModel(fineTuned.model, 'head').parameters as { weight: Tensor; bias: Tensor };
  // BiT's is a convolution of one pixel.
  const isConvolution = backbone.classifier === 'head.fc';
  return {
    ...tensors,
    [`${backbone.classifier}.weight`]: isConvolution ? weight.reshape([...weight.shape, 1, 1]) : weight.clone(),
    [`${backbone.classifier}.bias`]: bias.clone(),
  };
}

/** Both parts', without what only the loss uses. */
function segmenterTensors({ fineTuned }: ExportedModel): Tensors {
  const parts = ['backbone', 'classifier'].map((name) => [name, subModel(fineTuned!.model, name)] as const);
  return toTorch(joinModels(Object.fromEntries(parts)));
}

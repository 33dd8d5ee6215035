import { type Tensor, tf, writeSavedModel } from '../engine/index.js';
import { isSegmenter } from './export-weights.js';
import type { ExportedModel, ExportForm } from './exported-model.js';

export const savedModelForm: ExportForm = {
  library: 'tensorflow',
  files: ['saved_model.pb'],
  async write(model, folder, { batch }) {
    const { size } = model.view;
    const apply = (images: Tensor) => ({ [outputOf(model)]: computed(model, images) });
    await writeSavedModel(folder, apply, { name: 'images', shape: [batch, size, size, 3] });
  },
  loading(model, folder) {
    const { size } = model.view;
    const name = outputOf(model);
    return `import tensorflow as tf

infer = tf.saved_model.load('${folder}').signatures['serving_default']
# images: float32 [batch, ${size}, ${size}, 3], normalized; ${name}: ${shapeOf(model)}
${name} = infer(images=images)['${name}']`;
  },
};

/** The name of what an exported graph computes. */
export const outputOf = ({ fineTuned }: ExportedModel) => (fineTuned ? 'probabilities' : 'features');

/** Its shape, in words. */
export function shapeOf(model: ExportedModel): string {
  const { size } = model.view;
  if (isSegmenter(model)) return `[batch, ${size}, ${size}, classes]`;
  return model.fineTuned ? '[batch, classes]' : '[batch, features]';
}

function computed({ backbone, model, fineTuned }: ExportedModel, images: Tensor): Tensor {
  if (!fineTuned) return backbone.apply(model, images, { training: false }).features;
  return tf.softmax(fineTuned.method.predict!(fineTuned.model, images)) as Tensor;
}

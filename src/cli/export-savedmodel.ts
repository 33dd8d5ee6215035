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
    const shape = isSegmenter(model)
      ? `[batch, ${size}, ${size}, classes]`
      : model.fineTuned
        ? '[batch, classes]'
        : '[batch, features]';
    return `import tensorflow as tf

infer = tf.saved_model.load('${folder}').signatures['serving_default']
# images: float32 [batch, ${size}, ${size}, 3], normalized; ${name}: ${shape}
${name} = infer(images=images)['${name}']
# to ONNX: python -m tf2onnx.convert --saved-model ${folder} --output model.onnx --opset 18  (pip install tf2onnx)`;
  },
};

const outputOf = ({ fineTuned }: ExportedModel) => (fineTuned ? 'probabilities' : 'features');

function computed({ backbone, model, fineTuned }: ExportedModel, images: Tensor): Tensor {
  if (!fineTuned) return backbone.apply(model, images, { training: false }).features;
  return tf.softmax(fineTuned.method.predict!(fineTuned.model, images)) as Tensor;
}

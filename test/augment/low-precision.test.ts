import { describe, expect, it } from 'vitest';
import { applyViews, centerView, drawViewParameters, selfSupervisedViews } from '../../src/augment/index.js';
import { composedRecolor } from '../../src/augment/recolor.js';
import { composedResizedCrops } from '../../src/augment/resized-crop.js';
import { key } from '../../src/base/index.js';
import { inFullPrecision, randomUniform, type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import { compiled } from '../engine/compiled.js';

const recipe = { ...selfSupervisedViews(24), stain: { probability: 1, strength: 0, shift: 0 } };
const images = randomUniform(key('images'), [2, 32, 32, 3]);
const drawn = drawViewParameters(recipe, 2, { height: 32, width: 32 }, key('drawn'));
const bits = (tensor: Tensor) => Array.from(new Uint32Array(tensor.dataSync().slice().buffer));

describe('a step in bfloat16', () => {
  it.each<[string, (images: Tensor, drawn: Tensors) => Tensor]>([
    ['views', (images, drawn) => applyViews(images, drawn, recipe)],
    ['the view for evaluation', (images) => centerView(images, { crop: 28, size: 24 })],
    // Where pathlab's own ops are not, as on GPUs.
    [
      'views of composed ops',
      (images, drawn) =>
        inFullPrecision(() => {
          const crops = { rows: drawn.cropRows!, columns: drawn.cropColumns! };
          return composedRecolor(composedResizedCrops(images, crops, 24), drawn);
        }),
    ],
  ])('makes %s in float32', async (_, make) => {
    const step = (images: Tensor, drawn: Tensors, weight: Tensor) => {
      const views = make(images, drawn);
      return { views, features: tf.matMul(views.reshape([2, -1]), weight as never) as Tensor };
    };
    const weight = randomUniform(key('weight'), [24 * 24 * 3, 4]);
    const low = await compiled(step, { precision: 'bfloat16' })(images, drawn, weight);
    const full = await compiled(step)(images, drawn, weight);
    expect(bits(low.views)).toEqual(bits(full.views));
    // What follows is in bfloat16.
    expect(bits(low.features).every((value) => (value & 0xffff) === 0)).toBe(true);
  });
});

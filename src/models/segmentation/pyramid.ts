import type { Key } from '../../base/index.js';
import {
  addBias,
  conv2d,
  dense,
  gelu,
  layerNorm,
  maxPool,
  randomUniform,
  relu,
  resizeBilinear,
  type Tensor,
  tf,
} from '../../engine/index.js';
import type { MapShape } from '../backbone.js';
import { ForwardPass, type ModelTensors } from '../forward-pass.js';
import { addBatchNorm } from '../initialize.js';
import { addConvolution, dropped, type MakeSegmentationHead, mapsOf, pointwise } from './head.js';

/** Channels that each level is brought to: those of SegFormer's smaller networks. */
const width = 256;
const strides = [4, 8, 16, 32];

/** Places of the maps that are the levels of the pyramid; or `simple`: it is made of a single map. */
function levelsOf(maps: readonly MapShape[]): number[] | 'simple' | undefined {
  if (maps.length === 1) return 'simple';
  const places = strides.map((stride) => maps.findLastIndex((map) => map.stride === stride));
  return places.includes(-1) ? undefined : places;
}

/**
 * SegFormer's decoder (Xie et al., 2021; arXiv 2105.15203) on a pyramid of maps: each level through a linear layer to 256
 * channels and bilinearly to the size of the largest; the four through one more linear layer, batch norm, relu, dropout of .1,
 * and a linear layer to the classes. The levels of a convolutional network are its last maps of the strides 4, 8, 16 and 32. Those of
 * a vision transformer are made of its one map, as ViTDet's simple feature pyramid (Li et al., 2022; arXiv 2203.16527,
 * section 3): transposed convolutions of 2x2 for a fourth and a half of its patches, the map itself, and the maximum of 2x2.
 * Names are those of the two's own code: `linear_c1.proj`..., `linear_fuse`, `linear_pred`, and `simfp_2.0`...
 */
export const pyramid: MakeSegmentationHead = (backbone, classes, dropout = 0.1) => {
  const levels = mapsOf('pyramid', backbone, 'maps of the strides 4, 8, 16 and 32, or a single one', levelsOf);
  const own = backbone.maps!.map(({ channels }) => channels);
  const single = own.at(-1)!;
  const channels = levels === 'simple' ? [single / 4, single / 2, single, single] : levels.map((place) => own[place]!);

  return {
    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      if (levels === 'simple') {
        addDoubling(model, 'simfp_2.0', single, single / 2, key);
        model.parameters['simfp_2.1.weight'] = tf.ones([single / 2]);
        model.parameters['simfp_2.1.bias'] = tf.zeros([single / 2]);
        addDoubling(model, 'simfp_2.3', single / 2, single / 4, key);
        addDoubling(model, 'simfp_3.0', single, single / 2, key);
      }
      for (const [level, inputs] of channels.entries()) {
        const bound = 1 / Math.sqrt(inputs);
        const draw = (part: string, shape: number[]) => {
          const name = `linear_c${level + 1}.proj.${part}`;
          model.parameters[name] = randomUniform(key.fold(name), shape, -bound, bound);
        };
        draw('weight', [width, inputs]);
        draw('bias', [width]);
      }
      addConvolution(model, 'linear_fuse.conv', [1, 1, 4 * width, width], key);
      addBatchNorm(model, 'linear_fuse.bn', width);
      addConvolution(model, 'linear_pred', [1, 1, width, classes], key, { bias: true });
      return model;
    },

    apply(model, maps, options) {
      const pass = new ForwardPass(model, options.training);
      const pair = (name: string) => ({
        weight: pass.parameter(`${name}.weight`),
        bias: pass.parameter(`${name}.bias`),
      });
      const doubled = (x: Tensor, name: string) => twiceAsLarge(x, pair(name));
      const made = (map: Tensor) => [
        doubled(gelu(layerNorm(doubled(map, 'simfp_2.0'), pair('simfp_2.1'), { epsilon: 1e-6 })), 'simfp_2.3'),
        doubled(map, 'simfp_3.0'),
        map,
        maxPool(map, { size: 2, stride: 2 }),
      ];
      const pyramid = levels === 'simple' ? made(maps.at(-1)!) : levels.map((place) => maps[place]!);
      const [, rows, columns] = pyramid[0]!.shape as [number, number, number];
      // A linear layer on four maps side by side is the sum of one on each; before they are enlarged it costs less. Their
      // weights stand side by side from the coarsest on. The tape holds the array of the parts: it must keep its order.
      const parts = [...tf.split(pass.parameter('linear_fuse.conv.weight'), 4, 2)].reverse();
      const fused = pyramid.map((x, level) => {
        const { weight, bias } = pair(`linear_c${level + 1}.proj`);
        const y = conv2d(dense(x, weight, bias), parts[level]!);
        return level === 0 ? y : resizeBilinear(y, [rows, columns]);
      });
      const x = relu(pass.norm(tf.addN(fused), 'linear_fuse.bn'));
      return { logits: pointwise(pass, dropped(x, dropout, options), 'linear_pred'), state: pass.state };
    },
  };
};

/** Adds a transposed convolution of 2x2 as PyTorch draws one. */
function addDoubling({ parameters }: ModelTensors, name: string, inputs: number, outputs: number, key: Key): void {
  const bound = 1 / Math.sqrt(4 * outputs);
  for (const [part, shape] of [
    ['weight', [2, 2, outputs, inputs]],
    ['bias', [outputs]],
  ] as const) {
    parameters[`${name}.${part}`] = randomUniform(key.fold(`${name}.${part}`), shape, -bound, bound);
  }
}

/**
 * A transposed convolution of 2x2 with stride 2, whose windows do not overlap: one matrix product.
 *
 * @param x `[batch, rows, columns, in]`
 * @param layer.weight `[2, 2, out, in]`
 * @returns `[batch, 2 rows, 2 columns, out]`
 */
function twiceAsLarge(x: Tensor, { weight, bias }: { weight: Tensor; bias: Tensor }): Tensor {
  const [batch, rows, columns, inputs] = x.shape as [number, number, number, number];
  const outputs = bias.size;
  const y = dense(x, weight.reshape([4 * outputs, inputs]))
    .reshape([batch, rows, columns, 2, 2, outputs])
    .transpose([0, 1, 3, 2, 4, 5]);
  return addBias(y.reshape([batch, 2 * rows, 2 * columns, outputs]), bias);
}

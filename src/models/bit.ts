import type { Key } from '../base/index.js';
import {
  getTensor,
  globalAveragePool,
  groupNorm,
  maxPool,
  probed,
  relu,
  standardizedConv2d,
  type Tensor,
  tf,
} from '../engine/index.js';
import { type Backbone, halfColors } from './backbone.js';
import type { ModelTensors } from './forward-pass.js';
import { kaimingConvolution } from './initialize.js';

interface Block {
  name: string;
  /** Channels in, inside and out. */
  channels: [number, number, number];
  stride: number;
  isFirst: boolean;
}

const groups = 32;

/**
 * BiT's ResNet-50x1 (Kolesnikov et al., 2020; arXiv 1912.11370), the network of its BiT-M weights, with timm's names: group
 * norm and relu before each convolution, weights standardized, the stride of a block in its 3x3 convolution. Its last map is
 * after the last norm. Images of any size from 32 px.
 */
export function bit(): Backbone {
  const blocks = plan();
  return {
    name: 'resnetv2_50x1_bit',
    featureSize: 2048,
    inputSize: 224,
    sizes: { least: 32 },
    maps: [256, 512, 1024, 2048].map((channels, stage) => ({ channels, stride: 4 * 2 ** stage })),
    colors: halfColors,
    source: 'Kolesnikov et al., 2020; arXiv 1912.11370',
    timm: 'resnetv2_50x1_bit',
    classifier: 'head.fc',

    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      addConv(model, 'stem.conv', [7, 7, 3, 64], key);
      for (const { name, channels, isFirst } of blocks) {
        const [into, inside, out] = channels;
        if (isFirst) addConv(model, `${name}.downsample.conv`, [1, 1, into, out], key);
        addNorm(model, `${name}.norm1`, into);
        addConv(model, `${name}.conv1`, [1, 1, into, inside], key);
        addNorm(model, `${name}.norm2`, inside);
        addConv(model, `${name}.conv2`, [3, 3, inside, inside], key);
        addNorm(model, `${name}.norm3`, inside);
        addConv(model, `${name}.conv3`, [1, 1, inside, out], key);
      }
      addNorm(model, 'norm', 2048);
      return model;
    },

    apply: (model, images) =>
      tf.tidy(() => {
        // The padding of the pool is of zeros, which can be the largest.
        const stem = conv(model, images, 'stem.conv', 2).pad([
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ]);
        let x = maxPool(stem, { size: 3, stride: 2 });
        const stages: Tensor[] = [];
        for (const block of blocks) {
          x = probed(block.name, applyBlock(model, block, x));
          stages[Number(block.name.split('.')[1])] = x;
        }
        const last = norm(model, x, 'norm');
        return {
          features: globalAveragePool(last),
          stages: [...stages.slice(0, -1), last],
          pooled: last,
          state: model.state,
        };
      }),
  };
}

function plan(): Block[] {
  const blocks: Block[] = [];
  let channels = 64;
  for (const [stage, count] of [3, 4, 6, 3].entries()) {
    const inside = 64 * 2 ** stage;
    for (let index = 0; index < count; index++) {
      blocks.push({
        name: `stages.${stage}.blocks.${index}`,
        channels: [channels, inside, 4 * inside],
        stride: stage > 0 && index === 0 ? 2 : 1,
        isFirst: index === 0,
      });
      channels = 4 * inside;
    }
  }
  return blocks;
}

function applyBlock(model: ModelTensors, { name, stride, isFirst }: Block, x: Tensor): Tensor {
  const active = norm(model, x, `${name}.norm1`);
  const past = isFirst ? conv(model, active, `${name}.downsample.conv`, stride) : x;
  let y = conv(model, active, `${name}.conv1`);
  y = conv(model, norm(model, y, `${name}.norm2`), `${name}.conv2`, stride);
  return conv(model, norm(model, y, `${name}.norm3`), `${name}.conv3`).add(past);
}

function conv({ parameters }: ModelTensors, x: Tensor, name: string, stride = 1): Tensor {
  const weight = getTensor(parameters, `${name}.weight`);
  return standardizedConv2d(x, weight, { stride, padding: (weight.shape[0]! - 1) / 2 });
}

function norm({ parameters }: ModelTensors, x: Tensor, name: string): Tensor {
  const [weight, bias] = ['weight', 'bias'].map((part) => getTensor(parameters, `${name}.${part}`));
  return relu(groupNorm(x, { weight: weight!, bias: bias! }, groups));
}

function addConv({ parameters }: ModelTensors, name: string, shape: [number, number, number, number], key: Key): void {
  parameters[`${name}.weight`] = kaimingConvolution(key.fold(name), shape);
}

function addNorm({ parameters }: ModelTensors, name: string, channels: number): void {
  parameters[`${name}.weight`] = tf.ones([channels]);
  parameters[`${name}.bias`] = tf.zeros([channels]);
}

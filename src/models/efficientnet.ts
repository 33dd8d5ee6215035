import { imageNetColors } from '../augment/index.js';
import type { Key } from '../base/index.js';
import {
  addBias,
  type Conv2dOptions,
  conv2d,
  depthwiseConv2d,
  dropPath,
  globalAveragePool,
  relu6,
  silu,
  type Tensor,
  tf,
} from '../engine/index.js';
import { type Backbone, halfColors, type MapShape } from './backbone.js';
import { ForwardPass, type ModelTensors } from './forward-pass.js';
import { addBatchNorm, kaimingConvolution } from './initialize.js';

export interface EfficientnetOptions {
  variant: 'b3' | 'lite0';
  /**
   * `tensorflow`: the authors', with their SAME padding, batch norm's epsilon of .001 and a momentum of .01; what ports of
   * their weights take (timm's `tf_efficientnet_b3`, lukemelas'). `symmetric`: timm's own, with PyTorch's padding and batch
   * norm.
   */
  arithmetic?: 'tensorflow' | 'symmetric';
  /** Stochastic depth in training: the rate of a block grows linearly from 0 at the first towards it. */
  dropPathRate?: number;
}

const variants = {
  b3: { width: 1.2, depth: 1.4, inputSize: { tensorflow: 300, symmetric: 288 }, lite: false },
  lite0: { width: 1, depth: 1, inputSize: { tensorflow: 224, symmetric: 224 }, lite: true },
};

/** Of B0, whose counts and channels the others scale. */
const baseStages = [
  { count: 1, kernel: 3, stride: 1, expansion: 1, channels: 16 },
  { count: 2, kernel: 3, stride: 2, expansion: 6, channels: 24 },
  { count: 2, kernel: 5, stride: 2, expansion: 6, channels: 40 },
  { count: 3, kernel: 3, stride: 2, expansion: 6, channels: 80 },
  { count: 3, kernel: 5, stride: 1, expansion: 6, channels: 112 },
  { count: 4, kernel: 5, stride: 2, expansion: 6, channels: 192 },
  { count: 1, kernel: 3, stride: 1, expansion: 6, channels: 320 },
];

type Names = [conv: string, norm: string];

const names: Record<'stem' | 'head', Names> = { stem: ['conv_stem', 'bn1'], head: ['conv_head', 'bn2'] };

interface Block {
  name: string;
  kernel: number;
  stride: number;
  /** Channels in, inside and out. */
  channels: [number, number, number];
  /** Names of the convolutions and the norms behind them; what does not expand has no first one. */
  expand?: Names;
  depthwise: Names;
  project: Names;
  isLastOfStage: boolean;
}

/**
 * EfficientNet-B3 (Tan and Le, 2019; arXiv 1905.11946) and EfficientNet-Lite0, which leaves squeeze-and-excitation out, has
 * relu6 instead of silu and a stem and head of B0's width; with timm's names. Its last map is that of its last convolution.
 * Images of any size from 32 px.
 */
export function efficientnet({ variant, arithmetic = 'tensorflow', dropPathRate = 0 }: EfficientnetOptions): Backbone {
  if (!(variant in variants)) {
    throw new RangeError(`efficientnet's variant is ${Object.keys(variants).join(' or ')}; got "${variant as string}"`);
  }
  if (!(dropPathRate >= 0 && dropPathRate < 1)) {
    throw new RangeError(`efficientnet: dropPathRate is at least 0 and below 1; got ${dropPathRate}`);
  }
  const { width, depth, inputSize, lite } = variants[variant];
  const stem = lite ? 32 : roundChannels(32 * width);
  const featureSize = lite ? 1280 : roundChannels(1280 * width);
  const blocks = plan(stem, width, depth);
  const last = blocks.at(-1)!.channels[2];
  const tensorflow = arithmetic === 'tensorflow';
  const settings = tensorflow ? { epsilon: 1e-3, momentum: 0.01 } : {};
  const activate = lite ? relu6 : silu;
  const timm = `${tensorflow ? 'tf_' : ''}efficientnet_${variant}`;

  return {
    name: lite ? `efficientnet_lite0${tensorflow ? '' : ' (symmetric)'}` : timm,
    featureSize,
    inputSize: inputSize[arithmetic],
    sizes: { least: 32 },
    maps: mapsOf(blocks, featureSize),
    colors: lite && tensorflow ? halfColors : imageNetColors,
    source: lite ? 'EfficientNet-Lite, after Tan and Le, 2019; arXiv 1905.11946' : 'Tan and Le, 2019; arXiv 1905.11946',
    timm,
    classifier: 'classifier',

    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      addConv(model, names.stem, [3, 3, 3, stem], key);
      for (const { name, kernel, channels, expand, depthwise, project } of blocks) {
        const [into, inside, out] = channels;
        if (expand) addConv(model, expand, [1, 1, into, inside], key);
        addConv(model, depthwise, [kernel, kernel, 1, inside], key, inside);
        if (!lite) {
          const squeezed = into / 4;
          for (const [part, from, to] of [
            ['conv_reduce', inside, squeezed],
            ['conv_expand', squeezed, inside],
          ] as const) {
            const conv = `${name}.se.${part}`;
            model.parameters[`${conv}.weight`] = kaimingConvolution(key.fold(conv), [1, 1, from, to]);
            model.parameters[`${conv}.bias`] = tf.zeros([to]);
          }
        }
        addConv(model, project, [1, 1, inside, out], key);
      }
      addConv(model, names.head, [1, 1, last, featureSize], key);
      return model;
    },

    apply: (model, images, { training, key }) =>
      tf.tidy(() => {
        const dropping = training && dropPathRate > 0;
        if (dropping && !key) {
          throw new Error('efficientnet: training with a dropPathRate takes a key: apply(…, { training, key })');
        }
        const pass = new ForwardPass(model, training, settings);
        const padding = (kernel: number) => (tensorflow ? 'same' : (kernel - 1) / 2);
        const convNorm = (x: Tensor, [conv, norm]: Names, options: Conv2dOptions = {}) =>
          pass.convs(x, [{ conv, norm, ...options }]);
        let x = activate(convNorm(images, names.stem, { stride: 2, padding: padding(3) }));
        const stages: Tensor[] = [];
        for (const [index, { name, kernel, stride, channels, ...block }] of blocks.entries()) {
          let y = x;
          if (block.expand) y = activate(convNorm(y, block.expand));
          const [conv, norm] = block.depthwise;
          // PyTorch's groups have one channel in; here they are channels with one kernel each.
          const weight = pass.parameter(`${conv}.weight`).reshape([kernel, kernel, channels[1], 1]);
          y = activate(pass.norm(depthwiseConv2d(y, weight, { stride, padding: padding(kernel) }), norm));
          if (!lite) y = exciteSqueezed(pass, y, `${name}.se`);
          y = convNorm(y, block.project);
          if (stride === 1 && channels[0] === channels[2]) {
            const rate = (dropPathRate * index) / blocks.length;
            y = x.add(dropping ? dropPath(y, rate, key!.fold(name)) : y);
          }
          x = y;
          if (block.isLastOfStage) stages.push(x);
        }
        const head = activate(convNorm(x, names.head));
        return {
          features: globalAveragePool(head),
          stages: [...stages.slice(0, -1), head],
          pooled: head,
          state: pass.state,
        };
      }),
  };
}

function mapsOf(blocks: readonly Block[], featureSize: number): MapShape[] {
  let stride = 2;
  return blocks.flatMap((block) => {
    stride *= block.stride;
    const channels = block === blocks.at(-1) ? featureSize : block.channels[2];
    return block.isLastOfStage ? [{ channels, stride }] : [];
  });
}

/** Channels weighted by what the whole map holds (Hu et al., 2018; arXiv 1709.01507). */
function exciteSqueezed(pass: ForwardPass, x: Tensor, name: string): Tensor {
  const conv = (x: Tensor, part: string) =>
    addBias(conv2d(x, pass.parameter(`${name}.${part}.weight`)), pass.parameter(`${name}.${part}.bias`));
  const squeezed = silu(conv(x.mean([1, 2], true), 'conv_reduce'));
  return x.mul(tf.sigmoid(conv(squeezed, 'conv_expand')));
}

function plan(stem: number, width: number, depth: number): Block[] {
  const blocks: Block[] = [];
  let channels = stem;
  for (const [stage, { count, kernel, stride, expansion, channels: base }] of baseStages.entries()) {
    const out = roundChannels(base * width);
    const scaled = Math.ceil(count * depth);
    for (let index = 0; index < scaled; index++) {
      const name = `blocks.${stage}.${index}`;
      const part = (conv: string, norm: string): Names => [`${name}.${conv}`, `${name}.${norm}`];
      const expands = expansion > 1;
      blocks.push({
        name,
        kernel,
        stride: index === 0 ? stride : 1,
        channels: [channels, channels * expansion, out],
        ...(expands ? { expand: part('conv_pw', 'bn1') } : {}),
        depthwise: part('conv_dw', expands ? 'bn2' : 'bn1'),
        project: expands ? part('conv_pwl', 'bn3') : part('conv_pw', 'bn2'),
        isLastOfStage: index === scaled - 1,
      });
      channels = out;
    }
  }
  return blocks;
}

/** The nearest multiple of 8 that is no more than a tenth smaller. */
function roundChannels(channels: number): number {
  const nearest = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

function addConv(
  model: ModelTensors,
  [conv, norm]: Names,
  shape: [number, number, number, number],
  key: Key,
  groups?: number,
): void {
  model.parameters[`${conv}.weight`] = kaimingConvolution(key.fold(conv), shape, groups);
  addBatchNorm(model, norm, shape[3]);
}

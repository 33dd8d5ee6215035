import type { Key } from '../base/index.js';
import { globalAveragePool, maxPool, type Tensor, type Tensors, tf } from '../engine/index.js';
import { ForwardPass, type ModelTensors } from './forward-pass.js';
import { kaimingConvolution } from './initialize.js';

/** A network from images to feature vectors, as pure functions. */
export interface Backbone {
  name: string;
  /** Length of a feature vector. */
  featureSize: number;
  initialize(key: Key): ModelTensors;
  /**
   * @param images `[batch, height, width, 3]`, normalized
   * @param options.training whether batch norm uses the batch's statistics and moves the running ones
   * @param options.key decides what stochastic depth drops in training; fold it for each step
   * @returns `features` `[batch, featureSize]`; the last map of each stage `[batch, height, width, channels]`; the state
   *   after the pass
   */
  apply(
    model: ModelTensors,
    images: Tensor,
    options: { training: boolean; key?: Key },
  ): { features: Tensor; stages: Tensor[]; state: Tensors };
}

export interface ResnetOptions {
  depth: 18 | 50;
  /** Factor on every channel count; 1 is the published network, and the only one that foreign weights fit. */
  width?: number;
}

const blocksPerStage = { 18: [2, 2, 2, 2], 50: [3, 4, 6, 3] };

/** One convolution of a block with the batch norm behind it: kernel px, channels out, stride. */
interface Layer {
  conv: string;
  norm: string;
  kernel: number;
  out: number;
  stride: number;
}

interface Block {
  name: string;
  layers: Layer[];
  shortcut?: Layer;
}

/**
 * ResNet (He et al., 2016; arXiv 1512.03385) with torchvision's arithmetic and names: the stride of a bottleneck sits
 * in its 3x3 convolution ("v1.5"), and there is no final classifier.
 */
export function resnet({ depth, width = 1 }: ResnetOptions): Backbone {
  if (!(depth in blocksPerStage)) throw new RangeError(`resnet comes with depth 18 or 50; got ${depth}`);
  if (!(width > 0) || (64 * width) % 1 !== 0) {
    throw new RangeError(`resnet's width must make 64 x width a whole number of channels; got ${width}`);
  }
  const base = 64 * width;
  const blocks = plan(depth, base);
  const featureSize = base * 8 * (depth === 50 ? 4 : 1);
  const stem: Layer = { conv: 'conv1', norm: 'bn1', kernel: 7, out: base, stride: 2 };

  return {
    name: width === 1 ? `resnet${depth}` : `resnet${depth} (width x ${width})`,
    featureSize,

    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      let channels = 3;
      addLayer(model, stem, channels, key);
      channels = base;
      for (const { layers, shortcut } of blocks) {
        let inside = channels;
        for (const layer of layers) {
          addLayer(model, layer, inside, key);
          inside = layer.out;
        }
        if (shortcut) addLayer(model, shortcut, channels, key);
        channels = inside;
      }
      return model;
    },

    apply: (model, images, { training }) =>
      tf.tidy(() => {
        const pass = new ForwardPass(model, training);
        let x = pass.norm(pass.conv(images, stem.conv, stem.stride), stem.norm, { relu: true });
        x = maxPool(x, { size: 3, stride: 2, padding: 1 });
        const stages: Tensor[] = [];
        for (const block of blocks) {
          x = applyBlock(pass, block, x);
          stages[stageOf(block)] = x;
        }
        return { features: globalAveragePool(x), stages, state: pass.state };
      }),
  };
}

function plan(depth: 18 | 50, base: number): Block[] {
  const blocks: Block[] = [];
  let channels = base;
  blocksPerStage[depth].forEach((count, stage) => {
    const inner = base * 2 ** stage;
    const out = depth === 50 ? inner * 4 : inner;
    for (let index = 0; index < count; index++) {
      const name = `layer${stage + 1}.${index}`;
      const stride = stage > 0 && index === 0 ? 2 : 1;
      const layer = (number: number, kernel: number, out: number, stride: number): Layer => {
        return { conv: `${name}.conv${number}`, norm: `${name}.bn${number}`, kernel, out, stride };
      };
      const layers =
        depth === 50
          ? [layer(1, 1, inner, 1), layer(2, 3, inner, stride), layer(3, 1, out, 1)]
          : [layer(1, 3, inner, stride), layer(2, 3, out, 1)];
      const block: Block = { name, layers };
      if (stride !== 1 || channels !== out) {
        block.shortcut = { conv: `${name}.downsample.0`, norm: `${name}.downsample.1`, kernel: 1, out, stride };
      }
      blocks.push(block);
      channels = out;
    }
  });
  return blocks;
}

function applyBlock(pass: ForwardPass, { layers, shortcut }: Block, x: Tensor): Tensor {
  const past = shortcut ? pass.norm(pass.conv(x, shortcut.conv, shortcut.stride), shortcut.norm) : x;
  const [first, ...others] = layers as [Layer, ...Layer[]];
  let y = pass.conv(x, first.conv, first.stride);
  let before = first;
  for (const layer of others) {
    y = pass.normConv(y, before.norm, layer.conv, layer.stride);
    before = layer;
  }
  return pass.norm(y, before.norm, { relu: true, shortcut: past });
}

function stageOf(block: Block): number {
  return Number(block.name['layer'.length]) - 1;
}

function addLayer({ parameters, state }: ModelTensors, layer: Layer, channels: number, key: Key): void {
  const { conv, norm, kernel, out } = layer;
  parameters[`${conv}.weight`] = kaimingConvolution(key.fold(conv), [kernel, kernel, channels, out]);
  parameters[`${norm}.weight`] = tf.ones([out]);
  parameters[`${norm}.bias`] = tf.zeros([out]);
  state[`${norm}.running_mean`] = tf.zeros([out]);
  state[`${norm}.running_var`] = tf.ones([out]);
}

import { imageNetColors } from '../augment/index.js';
import type { Key } from '../base/index.js';
import { globalAveragePool, maxPool, type Tensor, tf } from '../engine/index.js';
import type { Backbone } from './backbone.js';
import { type ConvNorm, ForwardPass, type ModelTensors } from './forward-pass.js';
import { addBatchNorm, kaimingConvolution } from './initialize.js';

export interface ResnetOptions {
  /** 10 has one block a stage where 18 has two: for trainings of minutes; no weights of it are published. */
  depth: 10 | 18 | 50;
  /** Factor on every channel count; 1 is the published network, and the only one that foreign weights fit. */
  width?: number;
  /**
   * For segmentation: layers 3 and 4 keep the size of layer 2's map, an eighth of the images', and their kernels spread
   * instead. Weights are the same ones.
   */
  dilated?: boolean;
}

const blocksPerStage = { 10: [1, 1, 1, 1], 18: [2, 2, 2, 2], 50: [3, 4, 6, 3] };

/** One convolution of a block with the batch norm behind it: kernel px, channels out, stride or dilation. */
interface Layer extends ConvNorm {
  kernel: number;
  out: number;
}

interface Block {
  name: string;
  layers: [Layer, ...Layer[]];
  shortcut?: Layer;
}

/**
 * ResNet (He et al., 2016; arXiv 1512.03385) with torchvision's arithmetic and names: the stride of a bottleneck sits
 * in its 3x3 convolution ("v1.5"), and there is no final classifier.
 */
export function resnet({ depth, width = 1, dilated = false }: ResnetOptions): Backbone {
  if (!(depth in blocksPerStage)) throw new RangeError(`resnet's depth must be 10, 18 or 50; got ${depth}`);
  if (!(width > 0) || (64 * width) % 1 !== 0) {
    throw new RangeError(`resnet's width must make 64 x width a whole number of channels; got ${width}`);
  }
  if (dilated && depth !== 50) throw new RangeError(`resnet: dilation needs depth 50; got ${depth}`);
  const base = 64 * width;
  const blocks = plan(depth, base, dilated);
  const featureSize = base * 8 * (depth === 50 ? 4 : 1);
  const stem: Layer = { conv: 'conv1', norm: 'bn1', kernel: 7, out: base, stride: 2 };

  return {
    name: `resnet${depth}${dilated ? '_dilated' : ''}${width === 1 ? '' : ` (width x ${width})`}`,
    featureSize,
    inputSize: 224,
    maps: blocksPerStage[depth].map((_, stage) => ({
      channels: (featureSize / 8) * 2 ** stage,
      stride: dilated ? Math.min(4 * 2 ** stage, 8) : 4 * 2 ** stage,
    })),
    colors: imageNetColors,
    source: 'He et al., 2016; arXiv 1512.03385',
    ...(width === 1 && depth !== 10 ? { timm: `resnet${depth}` } : {}),
    ...(dilated ? { timmOptions: { output_stride: 8 } } : {}),
    classifier: 'fc',

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
        let x = pass.convs(images, [stem], { relu: true });
        x = maxPool(x, { size: 3, stride: 2, padding: 1 });
        const stages: Tensor[] = [];
        for (const block of blocks) {
          x = applyBlock(pass, block, x);
          stages[stageOf(block)] = x;
        }
        return { features: globalAveragePool(x), stages, pooled: x, state: pass.state };
      }),
  };
}

function plan(depth: ResnetOptions['depth'], base: number, dilated: boolean): Block[] {
  const blocks: Block[] = [];
  let channels = base;
  let spread = 1;
  blocksPerStage[depth].forEach((count, stage) => {
    const inner = base * 2 ** stage;
    const out = depth === 50 ? inner * 4 : inner;
    const spreads = dilated && stage >= 2;
    for (let index = 0; index < count; index++) {
      const name = `layer${stage + 1}.${index}`;
      const stride = stage > 0 && index === 0 && !spreads ? 2 : 1;
      const layer = (number: number, kernel: number, out: number, stride: number): Layer => {
        const dilation = kernel > 1 ? spread : 1;
        return { conv: `${name}.conv${number}`, norm: `${name}.bn${number}`, kernel, out, stride, dilation };
      };
      const layers: Block['layers'] =
        depth === 50
          ? [layer(1, 1, inner, 1), layer(2, 3, inner, stride), layer(3, 1, out, 1)]
          : [layer(1, 3, inner, stride), layer(2, 3, out, 1)];
      const block: Block = { name, layers };
      if (stride !== 1 || channels !== out) {
        block.shortcut = { conv: `${name}.downsample.0`, norm: `${name}.downsample.1`, kernel: 1, out, stride };
      }
      blocks.push(block);
      channels = out;
      // As torchvision: a stage's first block still has the dilation of the stage before.
      if (spreads && index === 0) spread *= 2;
    }
  });
  return blocks;
}

function applyBlock(pass: ForwardPass, { layers, shortcut }: Block, x: Tensor): Tensor {
  return pass.convs(x, layers, { relu: true, shortcut: shortcut ? pass.convs(x, [shortcut]) : x });
}

function stageOf(block: Block): number {
  return Number(block.name['layer'.length]) - 1;
}

function addLayer(model: ModelTensors, { conv, norm, kernel, out }: Layer, channels: number, key: Key): void {
  model.parameters[`${conv}.weight`] = kaimingConvolution(key.fold(conv), [kernel, kernel, channels, out]);
  addBatchNorm(model, norm, out);
}

import type { Key } from '../base/index.js';
import { averagePool, dense, globalAveragePool, maxPool, type Tensor, tf, truncatedNormal } from '../engine/index.js';
import { type Backbone, halfColors } from './backbone.js';
import { ForwardPass, type ModelTensors } from './forward-pass.js';
import { addBatchNorm } from './initialize.js';

export interface InceptionOptions {
  /** Classes of the auxiliary classifier, which shares the training's labels; without it there is none. */
  auxiliaryClasses?: number;
}

/** A convolution without bias, batch norm, relu. */
interface Unit {
  name: string;
  out: number;
  kernel: [height: number, width: number];
  stride: number;
  /** Whether the map loses what the kernel cannot be centered on. */
  valid: boolean;
}

/** What a map goes through: a unit, a pool of 3x3 (`max` halves the size), or branches whose outputs stand side by side. */
type Layer = Unit | 'average' | 'max' | Layer[][];

/** The auxiliary classifier's own deviation of its weights. */
const deviations: Record<string, number> = { 'AuxLogits.conv1': 0.01, 'AuxLogits.fc': 0.001 };

const stem: Layer[] = [
  unit('Conv2d_1a_3x3', 32, 3, { stride: 2 }),
  unit('Conv2d_2a_3x3', 32, 3, { stride: 1 }),
  unit('Conv2d_2b_3x3', 64, 3),
  'max',
  unit('Conv2d_3b_1x1', 80),
  unit('Conv2d_4a_3x3', 192, 3, { stride: 1 }),
  'max',
];

/** Each ends with a map of another size. */
const stages: Layer[][] = [
  [...stem, ...mixedA('Mixed_5b', 32), ...mixedA('Mixed_5c', 64), ...mixedA('Mixed_5d', 64)],
  [
    ...mixedB('Mixed_6a'),
    ...[mixedC('Mixed_6b', 128), mixedC('Mixed_6c', 160), mixedC('Mixed_6d', 160), mixedC('Mixed_6e', 192)].flat(),
  ],
  [...mixedD('Mixed_7a'), ...mixedE('Mixed_7b'), ...mixedE('Mixed_7c')],
];

const auxiliaryUnits = [unit('AuxLogits.conv0', 128), unit('AuxLogits.conv1', 768, 5, { stride: 1 })] as const;

/** Sides of images, px, below which a map would be left with nothing. */
const least = 75;
const leastWithAuxiliary = 299;

/** Channels of the map that the auxiliary classifier looks at, the second stage's last. */
const auxiliaryChannels = 768;

/**
 * Inception v3 (Szegedy et al., 2016; arXiv 1512.00567) with torchvision's arithmetic and names. Published torchvision
 * weights expect colors from -1 to 1, which its `transform_input` makes of ImageNet's. Images of any size from 75 px; from
 * 299 px with the auxiliary classifier, whose logits count .4 in the loss.
 */
export function inceptionV3({ auxiliaryClasses }: InceptionOptions = {}): Backbone {
  return {
    name: 'inception_v3',
    featureSize: 2048,
    inputSize: 299,
    sizes: { least: auxiliaryClasses === undefined ? least : leastWithAuxiliary },
    colors: halfColors,
    source: 'Szegedy et al., 2016; arXiv 1512.00567',
    timm: 'inception_v3',
    classifier: 'fc',
    ...(auxiliaryClasses === undefined && {
      auxiliary: { prefix: 'AuxLogits.', withClasses: (classes: number) => inceptionV3({ auxiliaryClasses: classes }) },
    }),

    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      addLayers(model, stages.flat(), 3, key);
      if (auxiliaryClasses !== undefined) {
        addLayers(model, auxiliaryUnits, auxiliaryChannels, key);
        const name = 'AuxLogits.fc';
        model.parameters[`${name}.weight`] = weightOf(name, [auxiliaryClasses, 768], key);
        model.parameters[`${name}.bias`] = tf.zeros([auxiliaryClasses]);
      }
      return model;
    },

    apply: (model, images, { training }) =>
      tf.tidy(() => {
        const [, height, width] = images.shape as [number, number, number];
        const needed = training && auxiliaryClasses !== undefined ? leastWithAuxiliary : least;
        if (Math.min(height, width) < needed) {
          throw new RangeError(`inception_v3 takes images of ${needed} px and more; got [${images.shape}]`);
        }
        const pass = new ForwardPass(model, training, { epsilon: 1e-3 });
        const maps: Tensor[] = [];
        for (const layers of stages) maps.push(run(pass, layers, maps.at(-1) ?? images));
        const pooled = maps.at(-1)!;
        const result = { features: globalAveragePool(pooled), stages: maps, pooled, state: pass.state };
        if (auxiliaryClasses === undefined || !training) return result;
        return { ...result, auxiliary: auxiliaryLogits(pass, maps[1]!) };
      }),
  };
}

function auxiliaryLogits(pass: ForwardPass, map: Tensor): Tensor {
  const features = run(pass, auxiliaryUnits, averagePool(map, { size: 5, stride: 3 }));
  const [weight, bias] = ['weight', 'bias'].map((part) => pass.parameter(`AuxLogits.fc.${part}`));
  return dense(globalAveragePool(features), weight!, bias);
}

/** A unit keeps the map's size unless a stride is given: then it loses what the kernel cannot be centered on. */
function unit(
  name: string,
  out: number,
  kernel: number | [number, number] = 1,
  { stride }: { stride?: number } = {},
): Unit {
  const sides: [number, number] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
  return { name, out, kernel: sides, stride: stride ?? 1, valid: stride !== undefined };
}

function mixed(name: string, branches: Layer[][]): Layer[] {
  const named = (layer: Layer): Layer => {
    if (typeof layer === 'string') return layer;
    return Array.isArray(layer)
      ? layer.map((branch) => branch.map(named))
      : { ...layer, name: `${name}.${layer.name}` };
  };
  return [branches.map((branch) => branch.map(named))];
}

function mixedA(name: string, pooled: number): Layer[] {
  return mixed(name, [
    [unit('branch1x1', 64)],
    [unit('branch5x5_1', 48), unit('branch5x5_2', 64, 5)],
    [unit('branch3x3dbl_1', 64), unit('branch3x3dbl_2', 96, 3), unit('branch3x3dbl_3', 96, 3)],
    ['average', unit('branch_pool', pooled)],
  ]);
}

function mixedB(name: string): Layer[] {
  return mixed(name, [
    [unit('branch3x3', 384, 3, { stride: 2 })],
    [unit('branch3x3dbl_1', 64), unit('branch3x3dbl_2', 96, 3), unit('branch3x3dbl_3', 96, 3, { stride: 2 })],
    ['max'],
  ]);
}

function mixedC(name: string, inside: number): Layer[] {
  return mixed(name, [
    [unit('branch1x1', 192)],
    [unit('branch7x7_1', inside), unit('branch7x7_2', inside, [1, 7]), unit('branch7x7_3', 192, [7, 1])],
    [
      unit('branch7x7dbl_1', inside),
      unit('branch7x7dbl_2', inside, [7, 1]),
      unit('branch7x7dbl_3', inside, [1, 7]),
      unit('branch7x7dbl_4', inside, [7, 1]),
      unit('branch7x7dbl_5', 192, [1, 7]),
    ],
    ['average', unit('branch_pool', 192)],
  ]);
}

function mixedD(name: string): Layer[] {
  return mixed(name, [
    [unit('branch3x3_1', 192), unit('branch3x3_2', 320, 3, { stride: 2 })],
    [
      unit('branch7x7x3_1', 192),
      unit('branch7x7x3_2', 192, [1, 7]),
      unit('branch7x7x3_3', 192, [7, 1]),
      unit('branch7x7x3_4', 192, 3, { stride: 2 }),
    ],
    ['max'],
  ]);
}

function mixedE(name: string): Layer[] {
  return mixed(name, [
    [unit('branch1x1', 320)],
    [unit('branch3x3_1', 384), [[unit('branch3x3_2a', 384, [1, 3])], [unit('branch3x3_2b', 384, [3, 1])]]],
    [
      unit('branch3x3dbl_1', 448),
      unit('branch3x3dbl_2', 384, 3),
      [[unit('branch3x3dbl_3a', 384, [1, 3])], [unit('branch3x3dbl_3b', 384, [3, 1])]],
    ],
    ['average', unit('branch_pool', 192)],
  ]);
}

function run(pass: ForwardPass, layers: readonly Layer[], x: Tensor): Tensor {
  return layers.reduce<Tensor>((x, layer) => {
    if (layer === 'average') return averagePool(x, { size: 3, stride: 1, padding: 1 });
    if (layer === 'max') return maxPool(x, { size: 3, stride: 2 });
    if (Array.isArray(layer)) {
      return tf.concat(
        layer.map((branch) => run(pass, branch, x)),
        3,
      );
    }
    const { name, stride, valid } = layer;
    const padding = valid ? { padding: 0 } : {};
    return pass.convs(x, [{ conv: `${name}.conv`, norm: `${name}.bn`, stride, ...padding }], { relu: true });
  }, x);
}

/** @returns the channels of the map behind the layers */
function addLayers(model: ModelTensors, layers: readonly Layer[], channels: number, key: Key): number {
  return layers.reduce<number>((channels, layer) => {
    if (typeof layer === 'string') return channels;
    if (Array.isArray(layer)) {
      return layer.reduce((sum, branch) => sum + addLayers(model, branch, channels, key), 0);
    }
    const { name, kernel, out } = layer;
    model.parameters[`${name}.conv.weight`] = weightOf(name, [...kernel, channels, out], key);
    addBatchNorm(model, `${name}.bn`, out);
    return out;
  }, channels);
}

/** Of the authors' deviation, cut off at two of it. */
function weightOf(name: string, shape: number[], key: Key): Tensor {
  return truncatedNormal(key.fold(`${name}.weight`), shape, 0, deviations[name] ?? 0.1);
}

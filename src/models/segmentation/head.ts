import type { Key } from '../../base/index.js';
import { addBias, conv2d, dropout, randomUniform, type Tensor, type Tensors } from '../../engine/index.js';
import type { Backbone, MapShape } from '../backbone.js';
import type { ForwardPass, ModelTensors } from '../forward-pass.js';
import { addBatchNorm } from '../initialize.js';
import { backbone as backboneNamed, backboneNames } from '../registry.js';

/** A network from a backbone's maps to logits, as pure functions. */
export interface SegmentationHead {
  initialize(key: Key): ModelTensors;
  /**
   * @param maps the backbone's `stages`
   * @param options.key decides what dropout drops in training
   * @returns `logits` `[batch, rows, columns, classes]`, of the size of a map; and the state after the pass
   */
  apply(
    model: ModelTensors,
    maps: readonly Tensor[],
    options: { training: boolean; key?: Key },
  ): { logits: Tensor; state: Tensors };
}

/**
 * @param dropout its rate; by default what the head's own source has
 * @throws RangeError if the backbone's maps do not fit
 */
export type MakeSegmentationHead = (backbone: Backbone, classes: number, dropout?: number) => SegmentationHead;

/**
 * What a head takes of a backbone's maps.
 *
 * @param needs which maps the head needs, in words
 * @param pick finds them; undefined if they are not there
 * @throws RangeError that names the backbones that have them
 */
export function mapsOf<Picked>(
  head: string,
  { name, maps }: Backbone,
  needs: string,
  pick: (maps: readonly MapShape[]) => Picked | undefined,
): Picked {
  const picked = maps && pick(maps);
  if (picked !== undefined) return picked;
  const fitting = backboneNames.filter((name) => {
    const { maps } = backboneNamed(name);
    return maps !== undefined && pick(maps) !== undefined;
  });
  const strides = maps?.map(({ stride }) => stride).join(', ');
  throw new RangeError(
    `the ${head} head takes ${needs}; ${name} has ${maps ? `strides ${strides}` : 'no map of the whole image'}. ` +
      `Backbones that fit: ${fitting.join(', ')}`,
  );
}

/** The last map of a backbone. */
export function lastMapOf(head: string, backbone: Backbone): MapShape {
  return mapsOf(head, backbone, 'a map of the whole image', (maps) => maps.at(-1));
}

type KernelShape = readonly [height: number, width: number, inputs: number, outputs: number];

/** Adds a convolution as PyTorch draws one: uniform, with the inputs of an output deciding the range. */
export function addConvolution(
  { parameters }: ModelTensors,
  name: string,
  shape: KernelShape,
  key: Key,
  { bias = false } = {},
): void {
  const bound = 1 / Math.sqrt(shape[0] * shape[1] * shape[2]);
  const draw = (part: string, size: readonly number[]) => {
    parameters[`${name}.${part}`] = randomUniform(key.fold(`${name}.${part}`), size, -bound, bound);
  };
  draw('weight', shape);
  if (bias) draw('bias', [shape[3]]);
}

/** The same without bias, and the batch norm behind it. */
export function addConvNorm(model: ModelTensors, conv: string, norm: string, shape: KernelShape, key: Key): void {
  addConvolution(model, conv, shape, key);
  addBatchNorm(model, norm, shape[3]);
}

/** A convolution of 1 x 1 with a bias, by its name. */
export function pointwise(pass: ForwardPass, x: Tensor, name: string): Tensor {
  return addBias(conv2d(x, pass.parameter(`${name}.weight`)), pass.parameter(`${name}.bias`));
}

/** Dropout where it is training. */
export function dropped(x: Tensor, rate: number, { training, key }: { training: boolean; key?: Key }): Tensor {
  if (!training || rate === 0) return x;
  if (!key) throw new Error('a segmentation head with dropout takes a key in training: apply(…, { training, key })');
  return dropout(x, rate, key);
}

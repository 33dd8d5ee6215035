import {
  attention,
  biasActivation,
  dense,
  dropPath,
  getTensor,
  layerNorm,
  randomNormal,
  randomUniform,
  subTensors,
  type Tensor,
  type Tensors,
  tf,
} from '../engine/index.js';
import type { Backbone } from './resnet.js';

export interface VitOptions {
  /** Side of the square images, px. */
  imageSize?: number;
  /** Side of the square patches that become tokens, px. */
  patchSize: number;
  /** Length of a token. */
  width: number;
  /** Number of blocks. */
  depth: number;
  heads: number;
  /** Hidden units of a block's two dense layers, in widths. */
  mlpRatio?: number;
  /** Stochastic depth in training: the last block's rate, growing linearly from 0 at the first. */
  dropPathRate?: number;
}

/** ViT-S/16: 22 million parameters. */
export const vitSmall16 = { patchSize: 16, width: 384, depth: 12, heads: 6 } as const;

/** ViT-B/32: 88 million parameters. */
export const vitBase32 = { patchSize: 32, width: 768, depth: 12, heads: 12 } as const;

const epsilon = 1e-6;

/**
 * Vision transformer (Dosovitskiy et al., 2021; arXiv 2010.11929) with timm's arithmetic and names: a class token,
 * learned positions, norms before attention and dense layers, exact gelu, and no final classifier. Its feature vector
 * is the class token after the last norm; its one stage is the map of the other tokens, normalized too.
 */
export function vit(options: VitOptions): Backbone {
  const { imageSize = 224, patchSize, width, depth, heads, mlpRatio = 4, dropPathRate = 0 } = options;
  if (width % heads !== 0) throw new RangeError(`vit: ${heads} heads do not divide the width ${width}`);
  if (imageSize % patchSize !== 0) {
    throw new RangeError(`vit: patches of ${patchSize} px do not divide images of ${imageSize} px`);
  }
  if (!(dropPathRate >= 0 && dropPathRate < 1)) {
    throw new RangeError(`vit: dropPathRate is at least 0 and below 1; got ${dropPathRate}`);
  }
  const side = imageSize / patchSize;
  const hidden = Math.round(width * mlpRatio);
  const blockNames = Array.from({ length: depth }, (_, index) => `blocks.${index}`);

  return {
    name: `vit (patch ${patchSize}, width ${width}, depth ${depth})`,
    featureSize: width,

    initialize(key) {
      const linear = (name: string, inputs: number, outputs: number): Tensors => ({
        [`${name}.weight`]: randomNormal(key.fold(`${name}.weight`), [outputs, inputs], 0, 0.02),
        [`${name}.bias`]: tf.zeros([outputs]),
      });
      const norm = (name: string): Tensors => ({
        [`${name}.weight`]: tf.ones([width]),
        [`${name}.bias`]: tf.zeros([width]),
      });
      // PyTorch's default for a convolution, which timm leaves as it is.
      const bound = 1 / Math.sqrt(patchSize * patchSize * 3);
      const patch = (name: string, shape: number[]) =>
        randomUniform(key.fold(`patch_embed.proj.${name}`), shape, -bound, bound);
      const parameters: Tensors = {
        cls_token: randomNormal(key.fold('cls_token'), [1, 1, width], 0, 1e-6),
        pos_embed: randomNormal(key.fold('pos_embed'), [1, 1 + side * side, width], 0, 0.02),
        'patch_embed.proj.weight': patch('weight', [patchSize, patchSize, 3, width]),
        'patch_embed.proj.bias': patch('bias', [width]),
      };
      for (const name of blockNames) {
        Object.assign(
          parameters,
          norm(`${name}.norm1`),
          linear(`${name}.attn.qkv`, width, 3 * width),
          linear(`${name}.attn.proj`, width, width),
          norm(`${name}.norm2`),
          linear(`${name}.mlp.fc1`, width, hidden),
          linear(`${name}.mlp.fc2`, hidden, width),
        );
      }
      return { parameters: { ...parameters, ...norm('norm') }, state: {} };
    },

    apply: ({ parameters, state }, images, { training, key }) =>
      tf.tidy(() => {
        const [batch, height, wide] = images.shape as [number, number, number, number];
        if (height !== imageSize || wide !== imageSize) {
          throw new RangeError(
            `vit takes images of ${imageSize} px, for which its positions are; got [${images.shape}]`,
          );
        }
        const dropping = training && dropPathRate > 0;
        if (dropping && !key)
          throw new Error('vit: training with a dropPathRate takes a key: apply(…, { training, key })');
        const parameter = (name: string) => getTensor(parameters, name);

        const classToken = tf.tile(parameter('cls_token'), [batch, 1, 1]);
        let x = tf.concat([classToken, embedPatches(images, subTensors(parameters, 'patch_embed.'), patchSize)], 1);
        x = x.add(parameter('pos_embed'));
        blockNames.forEach((name, index) => {
          const rate = dropPathRate * (index / Math.max(1, depth - 1));
          const drop = (branch: Tensor, which: string) =>
            dropping ? dropPath(branch, rate, key!.fold(`${name}.${which}`)) : branch;
          x = applyBlock(x, subTensors(parameters, `${name}.`), heads, drop);
        });
        const norm = { weight: parameter('norm.weight'), bias: parameter('norm.bias') };
        const [first, others] = [x.slice([0, 0, 0], [-1, 1, -1]), x.slice([0, 1, 0], [-1, -1, -1])];
        return {
          features: layerNorm(first.reshape([batch, width]), norm, { epsilon }),
          stages: [layerNorm(others, norm, { epsilon }).reshape([batch, side, side, width])],
          state,
        };
      }),
  };
}

/** A convolution whose windows touch is a matrix product over the patches: `[batch, tokens, width]`. */
function embedPatches(images: Tensor, parameters: Tensors, patchSize: number): Tensor {
  const [batch, height, wide] = images.shape as [number, number, number];
  const weight = getTensor(parameters, 'proj.weight');
  const [rows, columns] = [height / patchSize, wide / patchSize];
  const patches = images
    .reshape([batch, rows, patchSize, columns, patchSize * 3])
    .transpose([0, 1, 3, 2, 4])
    .reshape([batch * rows * columns, patchSize * patchSize * 3]);
  const width = weight.shape[3]!;
  const tokens = tf.matMul(patches, weight.reshape([-1, width])).add(getTensor(parameters, 'proj.bias'));
  return tokens.reshape([batch, rows * columns, width]);
}

function applyBlock(
  x: Tensor,
  parameters: Tensors,
  heads: number,
  drop: (branch: Tensor, which: string) => Tensor,
): Tensor {
  const pair = (name: string) => ({
    weight: getTensor(parameters, `${name}.weight`),
    bias: getTensor(parameters, `${name}.bias`),
  });
  const linear = (x: Tensor, name: string) => dense(x, pair(name).weight, pair(name).bias);
  const mixed = attention(linear(layerNorm(x, pair('norm1'), { epsilon }), 'attn.qkv'), { heads });
  const attended = x.add(drop(linear(mixed, 'attn.proj'), 'attn')) as Tensor;
  const { weight, bias } = pair('mlp.fc1');
  const inner = biasActivation(dense(layerNorm(attended, pair('norm2'), { epsilon }), weight), bias, 'gelu');
  return attended.add(drop(linear(inner, 'mlp.fc2'), 'mlp'));
}

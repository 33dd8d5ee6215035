import type { Key } from '../base/index.js';
import {
  attention,
  biasActivation,
  dense,
  dropPath,
  getTensor,
  layerNorm,
  probed,
  randomNormal,
  silu,
  subTensors,
  type Tensor,
  type Tensors,
  tf,
} from '../engine/index.js';

export interface TransformerOptions {
  /** Length of a token. */
  width: number;
  /** Number of blocks. */
  depth: number;
  heads: number;
  /** Hidden units between a block's two dense layers, in widths; of `swiglu`, both halves together. */
  mlpRatio?: number;
  /** What stands between the two dense layers; `swiglu` is silu(first half) x second half (Shazeer, 2020; arXiv 2002.05202). */
  activation?: 'gelu' | 'swiglu';
  /** Start value of LayerScale (Touvron et al., 2021; arXiv 2103.17239), a factor on each channel of a branch. None by default. */
  layerScale?: number;
  /** Stochastic depth in training: the last block's rate, growing linearly from 0 at the first. */
  dropPathRate?: number;
  /** What the names of the blocks begin with: `blocks`, or `decoder_blocks` of MAE's decoder. */
  blocks?: string;
  /** The name of the last norm: `norm`, or `decoder_norm`. */
  norm?: string;
}

/** Blocks of a transformer with a norm behind them, on any tokens, as pure functions. */
export interface Transformer {
  initialize(key: Key): Tensors;
  /**
   * @param tokens `[batch, tokens, width]`; positions are in them
   * @param options.key decides what stochastic depth drops in training; fold it for each step
   * @returns the tokens, not normalized: all, `[batch, tokens, width]`; and the first by itself, `[batch, 1, width]`, for which
   *   the last block does a fraction of the work. What a compiled function does not use it does not compute
   */
  blocks(
    parameters: Tensors,
    tokens: Tensor,
    options: { training: boolean; key?: Key },
  ): { all: Tensor; first: Tensor };
  /**
   * How much the first token attends to every token in the last block, in inference mode.
   *
   * @param tokens `[batch, tokens, width]`; positions are in them
   * @returns `[batch, heads, tokens]`, whose rows sum to 1
   */
  attention(parameters: Tensors, tokens: Tensor): Tensor;
  /** The last norm, of `[…, width]`. */
  norm(parameters: Tensors, tokens: Tensor): Tensor;
}

const epsilon = 1e-6;

/** Blocks as the vision transformer's (see `vit`), with timm's arithmetic and names. */
export function transformer(options: TransformerOptions): Transformer {
  const { width, depth, heads, mlpRatio = 4, activation = 'gelu', layerScale, dropPathRate = 0 } = options;
  const { blocks = 'blocks', norm: lastNorm = 'norm' } = options;
  if (width % heads !== 0) throw new RangeError(`transformer: ${heads} heads do not divide the width ${width}`);
  if (!(dropPathRate >= 0 && dropPathRate < 1)) {
    throw new RangeError(`transformer: dropPathRate is at least 0 and below 1; got ${dropPathRate}`);
  }
  const hidden = Math.trunc(width * mlpRatio);
  const names = Array.from({ length: depth }, (_, index) => `${blocks}.${index}`);

  return {
    initialize(key) {
      const linear = (name: string, inputs: number, outputs: number): Tensors => ({
        [`${name}.weight`]: randomNormal(key.fold(`${name}.weight`), [outputs, inputs], 0, 0.02),
        [`${name}.bias`]: tf.zeros([outputs]),
      });
      const norm = (name: string): Tensors => ({
        [`${name}.weight`]: tf.ones([width]),
        [`${name}.bias`]: tf.zeros([width]),
      });
      const scale = (name: string): Tensors =>
        layerScale === undefined ? {} : { [`${name}.gamma`]: tf.fill([width], layerScale) };
      const parameters: Tensors = {};
      for (const name of names) {
        Object.assign(
          parameters,
          norm(`${name}.norm1`),
          linear(`${name}.attn.qkv`, width, 3 * width),
          linear(`${name}.attn.proj`, width, width),
          scale(`${name}.ls1`),
          norm(`${name}.norm2`),
          linear(`${name}.mlp.fc1`, width, hidden),
          linear(`${name}.mlp.fc2`, activation === 'swiglu' ? hidden / 2 : hidden, width),
          scale(`${name}.ls2`),
        );
      }
      return { ...parameters, ...norm(lastNorm) };
    },

    blocks(parameters, tokens, { training, key }) {
      const dropping = training && dropPathRate > 0;
      if (dropping && !key) {
        throw new Error('transformer: training with a dropPathRate takes a key: apply(…, { training, key })');
      }
      const run = (x: Tensor, index: number, wanted?: 'first') => {
        const name = names[index]!;
        const rate = dropPathRate * (index / Math.max(1, depth - 1));
        const drop = (branch: Tensor, which: string) =>
          dropping ? dropPath(branch, rate, key!.fold(`${name}.${which}`)) : branch;
        return probed(name, applyBlock(x, subTensors(parameters, `${name}.`), { heads, activation, drop, wanted }));
      };
      let x = tokens;
      for (let index = 0; index < depth - 1; index++) x = run(x, index);
      return { all: run(x, depth - 1), first: run(x, depth - 1, 'first') };
    },

    attention(parameters, tokens) {
      const before = (x: Tensor, name: string) =>
        applyBlock(x, subTensors(parameters, `${name}.`), { heads, activation, drop: (branch) => branch });
      const x = names.slice(0, -1).reduce(before, tokens);
      const own = subTensors(parameters, `${names.at(-1)}.`);
      const { weight, bias } = pair(own, 'attn.qkv');
      const [batch, count] = x.shape as [number, number, number];
      const qkv = dense(layerNorm(x, pair(own, 'norm1'), { epsilon }), weight, bias);
      const split = qkv.reshape([batch, count, 3, heads, width / heads]).transpose([2, 0, 3, 1, 4]);
      const [queries, keys] = tf.unstack(split) as [Tensor, Tensor];
      const first = queries.slice([0, 0, 0, 0], [-1, -1, 1, -1]);
      const scores = tf.matMul(first, keys, false, true).squeeze<Tensor>([2]);
      return tf.softmax(scores.div(Math.sqrt(width / heads)));
    },

    norm: (parameters, tokens) => probed(lastNorm, layerNorm(tokens, pair(parameters, lastNorm), { epsilon })),
  };
}

interface BlockOptions {
  heads: number;
  activation: 'gelu' | 'swiglu';
  drop(branch: Tensor, which: string): Tensor;
  /** The only token that is wanted; all by default. */
  wanted?: 'first';
}

function applyBlock(x: Tensor, parameters: Tensors, { heads, activation, drop, wanted }: BlockOptions): Tensor {
  const linear = (x: Tensor, name: string) => {
    const { weight, bias } = pair(parameters, name);
    return dense(x, weight, bias);
  };
  const norm = (x: Tensor, name: string) => layerNorm(x, pair(parameters, name), { epsilon });
  const scaled = (branch: Tensor, name: string) => {
    const gamma = parameters[`${name}.gamma`];
    return gamma ? branch.mul(gamma) : branch;
  };
  const inner = (x: Tensor) => {
    if (activation === 'swiglu') {
      const [gate, value] = tf.split(linear(x, 'mlp.fc1'), 2, -1) as [Tensor, Tensor];
      return silu(gate).mul(value) as Tensor;
    }
    const { weight, bias } = pair(parameters, 'mlp.fc1');
    return biasActivation(dense(x, weight), bias, 'gelu');
  };
  const mixed = attention(linear(norm(x, 'norm1'), 'attn.qkv'), { heads });
  const chosen = (tokens: Tensor): Tensor => (wanted ? tokens.slice([0, 0, 0], [-1, 1, -1]) : tokens);
  const attended = chosen(x).add(drop(scaled(linear(chosen(mixed), 'attn.proj'), 'ls1'), 'attn')) as Tensor;
  return attended.add(drop(scaled(linear(inner(norm(attended, 'norm2')), 'mlp.fc2'), 'ls2'), 'mlp'));
}

function pair(parameters: Tensors, name: string): { weight: Tensor; bias: Tensor } {
  return { weight: getTensor(parameters, `${name}.weight`), bias: getTensor(parameters, `${name}.bias`) };
}

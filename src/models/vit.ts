import type { ColorStatistics } from '../augment/index.js';
import type { Key } from '../base/index.js';
import { getTensor, probed, randomNormal, randomUniform, type Tensor, type Tensors, tf } from '../engine/index.js';
import { type Backbone, halfColors } from './backbone.js';
import type { ModelTensors } from './forward-pass.js';
import { resamplePositions, sineCosinePositions } from './positions.js';
import { type Transformer, type TransformerOptions, transformer } from './transformer.js';

export interface VitOptions extends Omit<TransformerOptions, 'blocks' | 'norm'> {
  /** Side of the square images that the position embeddings are made for, px. Others are taken too. */
  imageSize?: number;
  /** Side of the square patches that become tokens, px. */
  patchSize: number;
  /**
   * Register tokens (Darcet et al., 2023; arXiv 2309.16588) between the class token and the patches. With them, as in
   * DINOv2's networks, positions are the patches' alone (timm's `no_embed_class`).
   */
  registers?: number;
  /** `fixed` ones are sines and cosines in the model's state, which no gradient changes: MAE's. */
  positions?: 'learned' | 'fixed';
  /**
   * What the features are: the class token; the mean of the patches, normalized then and not before (`fc_norm`), as
   * MAE's fine-tuning; or both side by side, after the norm, as Virchow's, twice as long.
   */
  pooling?: 'class' | 'mean' | 'both';
  /** What its published weights expect images to be normalized with; by default from -1 to 1. */
  colors?: ColorStatistics;
  /** What timm calls it. */
  timm?: string;
}

/** A vision transformer, whose parts a method can use one by one. */
export interface Vit extends Backbone {
  patchSize: number;
  /** Of a token. */
  width: number;
  /** Number of blocks. */
  depth: number;
  /** The same network but for these options. */
  variant(changes: Partial<VitOptions>): Vit;
  /**
   * @param images `[batch, height, width, 3]`, normalized, of any size that patches divide
   * @returns the patches as tokens with their positions, `[batch, rows * columns, width]`
   */
  embed(model: ModelTensors, images: Tensor): Tensor;
  /**
   * Runs the blocks and the last norm over any choice of what `embed` gave.
   *
   * @param patches `[batch, tokens, width]`
   * @returns `[batch, 1 + registers + tokens, width]`: class token, registers, patches
   */
  encode(model: ModelTensors, patches: Tensor, options: { training: boolean; key?: Key }): Tensor;
}

/** ViT-S/16: 22 million parameters. */
export const vitSmall16 = { timm: 'vit_small_patch16_224', patchSize: 16, width: 384, depth: 12, heads: 6 } as const;

/** ViT-B/32: 88 million parameters. */
export const vitBase32 = { timm: 'vit_base_patch32_224', patchSize: 32, width: 768, depth: 12, heads: 12 } as const;

/** ViT-B/16: 86 million parameters. */
export const vitBase16 = { timm: 'vit_base_patch16_224', patchSize: 16, width: 768, depth: 12, heads: 12 } as const;

/** ViT-L/16: 303 million parameters. */
export const vitLarge16 = { timm: 'vit_large_patch16_224', patchSize: 16, width: 1024, depth: 24, heads: 16 } as const;

/**
 * Vision transformer (Dosovitskiy et al., 2021; arXiv 2010.11929) with timm's arithmetic and names: a class token,
 * learned positions, norms before attention and dense layers, exact gelu, and no final classifier. By default its feature
 * vector is the class token after the last norm; its one stage is the map of the patches, normalized too unless their mean
 * is.
 *
 * @throws RangeError of `apply` and `embed` for images that patches do not divide
 */
export function vit(options: VitOptions): Vit {
  const { imageSize = 224, patchSize, width, depth, registers = 0, positions = 'learned', pooling = 'class' } = options;
  const { colors = halfColors, timm } = options;
  if (imageSize % patchSize !== 0) {
    throw new RangeError(`vit: patches of ${patchSize} px do not divide images of ${imageSize} px`);
  }
  if (positions === 'fixed' && registers > 0)
    throw new RangeError('vit: fixed positions cannot be combined with registers');
  const lastNorm = pooling === 'mean' ? 'fc_norm' : 'norm';
  const body: Transformer = transformer({ ...options, norm: lastNorm });
  const side = imageSize / patchSize;
  const prefix = 1 + registers;
  /** How many of the tokens before the patches have a position. */
  const placed = registers > 0 ? 0 : 1;

  const positionsOf = ({ parameters, state }: ModelTensors): Tensor =>
    state.pos_embed ?? getTensor(parameters, 'pos_embed');

  const embed = (model: ModelTensors, images: Tensor): Tensor => {
    const [rows, columns] = gridOf(images, patchSize);
    const at = resamplePositions(positionsOf(model), [rows, columns], placed);
    const patches = embedPatches(images, model.parameters, patchSize);
    return probed('patch_embed', patches.add(at.slice([0, placed, 0], [-1, -1, -1])));
  };

  /** Class token, registers and patches. */
  const withPrefixTokens = (model: ModelTensors, patches: Tensor): Tensor => {
    const batch = patches.shape[0]!;
    let classToken = getTensor(model.parameters, 'cls_token');
    if (placed) classToken = classToken.add(positionsOf(model).slice([0, 0, 0], [-1, 1, -1]));
    const before = [classToken, ...(registers > 0 ? [getTensor(model.parameters, 'reg_token')] : [])];
    const repeated = before.map((token) => tf.tile(token, [batch, 1, 1]));
    return tf.concat([...repeated, patches], 1);
  };

  /** The tokens through the blocks, not normalized. */
  const runBlocks = (model: ModelTensors, patches: Tensor, options: { training: boolean; key?: Key }) =>
    body.blocks(model.parameters, withPrefixTokens(model, patches), options);

  const attention = (model: ModelTensors, images: Tensor): Tensor =>
    tf.tidy(() => {
      const [rows, columns] = gridOf(images, patchSize);
      const weights = body.attention(model.parameters, withPrefixTokens(model, embed(model, images)));
      const patches = weights.mean(1).slice([0, prefix], [-1, -1]);
      return patches.reshape([-1, rows, columns]);
    });

  return {
    name: timm ?? `vit (patch ${patchSize}, width ${width}, depth ${depth})`,
    featureSize: pooling === 'both' ? 2 * width : width,
    inputSize: imageSize,
    sizes: { multipleOf: patchSize },
    maps: [{ channels: width, stride: patchSize }],
    colors,
    source: 'Dosovitskiy et al., 2021; arXiv 2010.11929',
    ...(timm === undefined ? {} : { timm }),
    classifier: 'head',
    ...(pooling === 'mean' ? { timmOptions: { global_pool: 'avg' } } : {}),
    patchSize,
    width,
    depth,
    variant: (changes) => vit({ ...options, ...changes }),
    embed: (model, images) => tf.tidy(() => embed(model, images)),
    encode: (model, patches, options) =>
      tf.tidy(() => body.norm(model.parameters, runBlocks(model, patches, options).all)),

    ...(pooling === 'mean' ? {} : { attention }),

    initialize(key) {
      // PyTorch's default for a convolution, which timm leaves as it is.
      const bound = 1 / Math.sqrt(patchSize * patchSize * 3);
      const patch = (name: string, shape: number[]) =>
        randomUniform(key.fold(`patch_embed.proj.${name}`), shape, -bound, bound);
      const normal = (name: string, shape: number[], deviation: number): Tensors => ({
        [name]: randomNormal(key.fold(name), shape, 0, deviation),
      });
      const fixed: Tensors = positions === 'fixed' ? { pos_embed: sineCosinePositions(side, width) } : {};
      const learned = positions === 'fixed' ? {} : normal('pos_embed', [1, placed + side * side, width], 0.02);
      const parameters: Tensors = {
        ...normal('cls_token', [1, 1, width], 1e-6),
        ...(registers > 0 ? normal('reg_token', [1, registers, width], 1e-6) : {}),
        ...learned,
        'patch_embed.proj.weight': patch('weight', [patchSize, patchSize, 3, width]),
        'patch_embed.proj.bias': patch('bias', [width]),
      };
      return { parameters: { ...parameters, ...body.initialize(key) }, state: fixed };
    },

    apply: (model, images, options) =>
      tf.tidy(() => {
        const [batch, rows, columns] = [images.shape[0]!, ...gridOf(images, patchSize)];
        const { all, first } = runBlocks(model, embed(model, images), options);
        const patches = all.slice([0, prefix, 0], [-1, -1, -1]) as Tensor;
        const norm = (tokens: Tensor) => body.norm(model.parameters, tokens);
        const map = (tokens: Tensor) => tokens.reshape([batch, rows, columns, width]);
        if (pooling === 'mean') {
          return { features: norm(patches.mean(1)), stages: [map(patches)], state: model.state };
        }
        const token: Tensor = pooling === 'both' ? all.slice([0, 0, 0], [-1, 1, -1]) : first;
        const [classToken, others] = [norm(token.reshape([batch, width])), norm(patches)];
        const features = pooling === 'both' ? tf.concat([classToken, others.mean(1)], 1) : classToken;
        return { features, stages: [map(others)], state: model.state };
      }),
  };
}

/** Rows and columns of patches. */
function gridOf(images: Tensor, patchSize: number): [number, number] {
  const [, height, wide] = images.shape as [number, number, number];
  for (const side of [height, wide]) {
    if (side % patchSize !== 0) {
      const below = side - (side % patchSize);
      const fitting = [below, below + patchSize].filter((size) => size > 0);
      throw new RangeError(
        `vit: patches of ${patchSize} px do not divide images [${images.shape}]; instead of ${side} px, ` +
          `${fitting.join(' or ')} px would fit`,
      );
    }
  }
  return [height / patchSize, wide / patchSize];
}

/** A convolution whose windows touch is a matrix product over the patches: `[batch, tokens, width]`. */
function embedPatches(images: Tensor, parameters: Tensors, patchSize: number): Tensor {
  const [batch, height, wide, channels] = images.shape as [number, number, number, number];
  const weight = getTensor(parameters, 'patch_embed.proj.weight');
  const [rows, columns] = [height / patchSize, wide / patchSize];
  const patches = images
    .reshape([batch, rows, patchSize, columns, patchSize * channels])
    .transpose([0, 1, 3, 2, 4])
    .reshape([batch * rows * columns, patchSize * patchSize * channels]);
  const width = weight.shape[3]!;
  const tokens = tf.matMul(patches, weight.reshape([-1, width])).add(getTensor(parameters, 'patch_embed.proj.bias'));
  return tokens.reshape([batch, rows * columns, width]);
}

import type { ViewRecipe } from '../augment/index.js';
import type { Key } from '../base/index.js';
import {
  dense,
  gather,
  getTensor,
  mapTensors,
  randomNormal,
  randomUniform,
  type Tensor,
  type Tensors,
  tf,
} from '../engine/index.js';
import {
  copyModel,
  joinModels,
  type ModelTensors,
  sineCosinePositions,
  subModel,
  transformer,
  type Vit,
} from '../models/index.js';
import { maeLoss, patchify, patchStatistics, type RandomMask, randomMask, unpatchify } from './mae-loss.js';
import type { Method } from './method.js';

export interface MaeOptions {
  /** With fixed positions. */
  backbone: Vit;
  views: ViewRecipe;
  /** Share of the patches that is masked. */
  maskRatio: number;
  decoder: { width: number; depth: number; heads: number };
  /** Whether each target patch has mean 0 and deviation 1. */
  normalizeTargets: boolean;
}

/**
 * MAE (He et al., 2021; arXiv 2111.06377): an encoder sees a few of an image's patches, and a small decoder
 * reconstructs the others. Names are the authors'. Features are the mean of the patches after the encoder's last norm,
 * of the whole image.
 */
export function mae({ backbone: encoder, views, maskRatio, decoder, normalizeTargets }: MaeOptions): Method {
  const { patchSize } = encoder;
  const side = views.size / patchSize;
  const patches = side * side;
  const kept = Math.trunc(patches * (1 - maskRatio));
  if (!(kept >= 1 && kept < patches)) {
    throw new RangeError(`MAE: a mask ratio of ${maskRatio} leaves ${kept} of ${patches} patches`);
  }
  const pixels = patchSize * patchSize * 3;
  const body = transformer({ ...decoder, blocks: 'decoder_blocks', norm: 'decoder_norm' });

  const predict = (model: ModelTensors, images: Tensor, random: Key): { predicted: Tensor; drawn: RandomMask } => {
    const batch = images.shape[0]!;
    const drawn = randomMask(random.fold('mask'), [batch, patches], kept);
    const own = subModel(model, 'backbone');
    const visible = gather(encoder.embed(own, images), drawn.visible, { perSample: true });
    const latent = encoder.encode(own, visible, { training: true, key: random.fold('path') });
    const { parameters, state } = subModel(model, 'decoder');
    const layer = (x: Tensor, name: string) =>
      dense(x, getTensor(parameters, `${name}.weight`), parameters[`${name}.bias`]);
    const [classToken, seen] = tf.split(layer(latent, 'decoder_embed'), [1, kept], 1) as [Tensor, Tensor];
    const masked = tf.tile(getTensor(parameters, 'mask_token'), [batch, patches - kept, 1]);
    const inPlace = gather(tf.concat([seen, masked], 1), drawn.places, { perSample: true });
    const tokens = tf.concat([classToken, inPlace], 1).add(getTensor(state, 'decoder_pos_embed')) as Tensor;
    const decoded = body.norm(parameters, body.blocks(parameters, tokens, { training: true }).all);
    return { predicted: layer(decoded, 'decoder_pred').slice([0, 1, 0], [-1, -1, -1]), drawn };
  };

  return {
    name: 'MAE',
    settings: { maskRatio, decoder, normalizeTargets },
    backbone: meanOfPatches(encoder),
    views: [views],
    initialize(key, start) {
      const { width } = decoder;
      const zeros: Tensors = {
        'decoder_embed.weight': tf.zeros([width, encoder.width]),
        'decoder_embed.bias': tf.zeros([width]),
        mask_token: tf.zeros([1, 1, width]),
        'decoder_pred.weight': tf.zeros([pixels, width]),
        'decoder_pred.bias': tf.zeros([pixels]),
      };
      return tf.tidy(() =>
        joinModels({
          backbone: start.backbone ? copyModel(start.backbone) : redrawn(key.fold('backbone'), encoder.initialize(key)),
          decoder: redrawn(key.fold('decoder'), {
            parameters: { ...zeros, ...body.initialize(key) },
            state: { decoder_pos_embed: sineCosinePositions(side, width) },
          }),
        }),
      );
    },
    loss(model, { views: [images] }, { random }) {
      const { predicted, drawn } = predict(model, images!, random);
      return { loss: maeLoss(predicted, images!, drawn.mask, { patchSize, normalizeTargets }), state: model.state };
    },
    reconstruct: (model, images, random) =>
      tf.tidy(() => {
        const { predicted, drawn } = predict(model, images, random);
        const originals = patchify(images, patchSize);
        const { mean, deviation } = patchStatistics(originals);
        const painted = normalizeTargets ? predicted.mul(deviation).add(mean) : predicted;
        const mask = drawn.mask.expandDims(2);
        const visible = originals.mul(tf.sub(1, mask));
        return {
          masked: unpatchify(visible, patchSize),
          reconstruction: unpatchify(visible.add(painted.mul(mask)), patchSize),
        };
      }),
    // Normalized patches have a mean square of 1: the loss of a gray reconstruction.
    chanceLoss: normalizeTargets ? () => 1 : undefined,
    encoder: (model) => subModel(model, 'backbone'),
  };
}

/** With features that every patch has a part in: no loss is on the class token. */
function meanOfPatches(encoder: Vit): Vit {
  return {
    ...encoder,
    name: `${encoder.name}, mean of patches`,
    featureSize: encoder.width,
    timmOptions: { ...encoder.timmOptions, global_pool: 'avg', fc_norm: false },
    apply(model, images, options) {
      const { stages, state } = encoder.apply(model, images, options);
      return { features: stages.at(-1)!.mean([1, 2]), stages, state };
    },
  };
}

/** The authors' weights: Xavier's uniform ones for every layer, the embedding of patches too; tokens of deviation .02. */
function redrawn(key: Key, { parameters, state }: ModelTensors): ModelTensors {
  const draw = (before: Tensor, name: string): Tensor => {
    const { shape, size, rank } = before;
    if (name.endsWith('_token')) return randomNormal(key.fold(name), shape, 0, 0.02);
    if (!name.endsWith('.weight') || rank < 2) return before;
    // Outputs are a dense weight's first dimension and a convolution's last: the sum is the same.
    const bound = Math.sqrt(6 / (shape.at(-1)! + size / shape.at(-1)!));
    return randomUniform(key.fold(name), shape, -bound, bound);
  };
  return { parameters: mapTensors(parameters, draw), state };
}

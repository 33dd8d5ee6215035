import { probed, resizeBilinear, tf, withPrefix } from '../../engine/index.js';
import type { Backbone } from '../backbone.js';
import { copyModel, joinModels, type Network, subModel } from '../network.js';
import { deeplabV3 } from './deeplab-v3.js';
import { fcn } from './fcn.js';
import { linear } from './linear.js';
import { pyramid } from './pyramid.js';

const heads = { fcn, deeplabv3: deeplabV3, linear, pyramid };

export type SegmentationHeadName = keyof typeof heads;

export interface SegmenterOptions {
  backbone: Backbone;
  /** See `fcn`, `deeplabV3`, `linear` and `pyramid`. */
  head: SegmentationHeadName;
  /** How many classes a pixel can be of. */
  classes: number;
  /** Rate of the head's dropout; by default what its own source has. */
  dropout?: number;
}

/** A network that gives logits for each pixel: its outputs are `[batch, height, width, classes]`, of the images' own size. */
export interface Segmenter extends Network {
  backbone: Backbone;
  classes: number;
}

/**
 * A backbone with a segmentation head, whose logits are resized bilinearly to the images' size. The tensors of the two stand
 * under `backbone.` and `classifier.`, as torchvision's.
 *
 * @throws RangeError for a head that does not fit the backbone, with those that it fits
 */
export function segmenter({ backbone, head: name, classes, dropout }: SegmenterOptions): Segmenter {
  if (!Object.hasOwn(heads, name)) {
    throw new RangeError(`there is no segmentation head "${name}"; known are ${Object.keys(heads).join(', ')}`);
  }
  if (!(Number.isInteger(classes) && classes > 1)) {
    throw new RangeError(`segmentation takes two classes at least; got ${classes}`);
  }
  const head = heads[name](backbone, classes, dropout);
  return {
    backbone,
    classes,
    initialize: (key, weights) =>
      joinModels({
        backbone: weights ? copyModel(weights) : backbone.initialize(key.fold('backbone')),
        classifier: head.initialize(key.fold('classifier')),
      }),
    apply: (model, images, { training, key }) =>
      tf.tidy(() => {
        const part = (name: string) => ({ training, key: key?.fold(name) });
        const encoded = backbone.apply(subModel(model, 'backbone'), images, part('backbone'));
        const { logits, state } = head.apply(subModel(model, 'classifier'), encoded.stages, part('classifier'));
        const [, height, width] = images.shape as [number, number, number];
        return {
          outputs: resizeBilinear(probed('classifier', logits), [height, width]),
          features: encoded.features,
          state: { ...withPrefix(encoded.state, 'backbone.'), ...withPrefix(state, 'classifier.') },
        };
      }),
  };
}

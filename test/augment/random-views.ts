import { applyViews, drawViewParameters, type ViewRecipe } from '../../src/augment/index.js';
import type { Key } from '../../src/base/index.js';
import { type Tensor, tf } from '../../src/engine/index.js';

/** `count` views of each image. */
export const randomViews = (images: Tensor, recipe: ViewRecipe, from: Key, count = 1): Tensor =>
  tf.tidy(() => {
    const [batch, height, width] = images.shape as [number, number, number];
    return applyViews(images, drawViewParameters(recipe, count * batch, { height, width }, from), recipe);
  });

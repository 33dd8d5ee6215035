import { type Tensor, tf } from '../../engine/index.js';
import { clip } from '../color.js';

/** Light that comes through bare glass, of 255: what Macenko normalization takes it to be (torchstain's `Io`). */
const glass = 240;

/**
 * Optical density, -ln(light / light through glass), of images of 0..1. One is added to the byte that a pixel would be,
 * so that black has a density too.
 *
 * @param images `[batch, height, width, 3]`
 * @returns `[batch, height * width, 3]`
 */
export function opticalDensity(images: Tensor): Tensor {
  const [batch] = images.shape;
  return tf.tidy(() => images.mul(255).add(1).div(glass).log().neg().reshape([batch!, -1, 3]));
}

/** The image of 0..1 that a density shows as; without the one that `opticalDensity` adds, as torchstain has it. */
export function imageOfDensity(density: Tensor, shape: readonly number[]): Tensor {
  return tf.tidy(() =>
    clip(
      density
        .neg()
        .exp()
        .mul(glass / 255),
    ).reshape([...shape]),
  );
}

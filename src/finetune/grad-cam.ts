import { globalAveragePool, gradients, relu, type Tensor, tf } from '../engine/index.js';
import type { Predictor } from './predict.js';

/**
 * Grad-CAM (Selvaraju et al., 2017; arXiv 1610.02391, equations 1 and 2) of a classifier on a convolutional network: the
 * channels of the map that is pooled to features, weighted by the mean over places of the gradient of a class's logit, summed,
 * and cut off below 0.
 *
 * @param images `[batch, height, width, 3]`, normalized
 * @param labels int32 `[batch]`, the class of each image that is asked about
 * @returns `[batch, rows, columns]`
 * @throws TypeError for a method without a classifier, or a network without such a map
 */
export function gradCam(
  { method, model }: Pick<Predictor, 'method' | 'model'>,
  images: Tensor,
  labels: Tensor,
): Tensor {
  const { backbone, classify, name, encoder } = method;
  if (!classify) throw new TypeError(`${name} has no classifier on features, and Grad-CAM asks for one`);
  return tf.tidy(() => {
    const { pooled } = backbone.apply(encoder(model), images, { training: false });
    if (!pooled) throw new TypeError(`Grad-CAM is of a convolutional network's last map; ${backbone.name} has none`);
    const { gradients: slopes } = gradients({ pooled }, ({ pooled }) => {
      const logits = classify(model, globalAveragePool(pooled!));
      return { loss: logits.mul(tf.oneHot(labels, logits.shape[1]!)).sum() };
    });
    const weights = slopes.pooled!.mean([1, 2], true);
    return relu(pooled.mul(weights).sum(3));
  });
}

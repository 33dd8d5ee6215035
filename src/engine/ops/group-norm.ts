import { type Tensor, withGradient } from '../runtime.js';

/**
 * Group normalization (Wu and He, 2018, arXiv 1803.08494): each image's channels are normalized in groups, over space
 * and the group, with the biased variance, as PyTorch's GroupNorm. It is the same in training and inference.
 *
 * @param x `[batch, height, width, channels]`
 * @param parameters scale and shift, `[channels]` each
 * @param groups must divide the channels
 */
export function groupNorm(
  x: Tensor,
  { weight, bias }: { weight: Tensor; bias: Tensor },
  groups: number,
  epsilon = 1e-5,
): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  if (x.rank !== 4 || !(Number.isInteger(groups) && groups > 0) || channels % groups !== 0) {
    throw new RangeError(`groupNorm: the channels of [${x.shape}] cannot be divided into ${groups} equal groups`);
  }
  const perGroup = channels / groups;
  const count = height * width * perGroup;
  /** `[batch, channels]` to sums over each group, `[batch, groups, 1]`. */
  const sumOfGroup = (perChannel: Tensor) => perChannel.reshape([batch, groups, perGroup]).sum(2, true);
  /** `[batch, groups, 1]`, once for each channel, in a shape that goes with x. */
  const spread = (perGroupValue: Tensor) => perGroupValue.tile([1, 1, perGroup]).reshape([batch, 1, 1, channels]);

  return withGradient([x, weight, bias], (save) => {
    const mean = sumOfGroup(x.sum([1, 2])).div(count) as Tensor;
    const centered = x.sub(spread(mean));
    const variance = sumOfGroup(centered.square().sum([1, 2])).div(count);
    const scale = variance.add(epsilon).rsqrt() as Tensor;
    save([x, weight, mean, scale]);
    return {
      value: centered.mul(spread(scale).mul(weight)).add(bias),
      gradient: (dy, saved) => {
        const [x, weight, mean, scale] = saved as [Tensor, Tensor, Tensor, Tensor];
        // With sums over space only two passes over x and dy are left, beside the one that makes the gradient of x.
        const sumDy = dy.sum([1, 2]);
        const sumDyX = dy.mul(x).sum([1, 2]);
        const shift = sumOfGroup(sumDy.mul(weight));
        const slope = sumOfGroup(sumDyX.mul(weight));
        const ofX = shift.mul(mean).sub(slope).mul(scale.pow(3)).div(count) as Tensor;
        const constant = ofX.mul(mean).add(shift.mul(scale).div(count)).neg() as Tensor;
        return [
          () =>
            dy
              .mul(spread(scale).mul(weight))
              .add(x.mul(spread(ofX)))
              .add(spread(constant)),
          () => {
            const flat = (value: Tensor) => value.tile([1, 1, perGroup]).reshape([batch, channels]);
            return sumDyX
              .sub(sumDy.mul(flat(mean)))
              .mul(flat(scale))
              .sum(0);
          },
          () => sumDy.sum(0),
        ];
      },
    };
  });
}

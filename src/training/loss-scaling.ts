import { getTensor, mapTensors, type Tensor, type Tensors, tf, zipTensors } from '../engine/index.js';
import type { Optimizer } from './optimizer.js';
import { select } from './select.js';

export interface LossScalingOptions {
  /** Scale of the first step. */
  initial?: number;
  /** Steps with finite gradients until the scale is doubled. */
  growthInterval?: number;
}

/** An optimizer for gradients of a scaled loss. */
export interface ScaledOptimizer extends Optimizer {
  /** The scale of the step to come, for `gradients(parameters, compute, { lossScale })`. */
  lossScale(state: Tensors): Tensor;
}

const scaleName = 'loss_scaling.scale';
const counterName = 'loss_scaling.finite_steps';

/**
 * Dynamic loss scaling (Micikevicius et al., 2018; arXiv 1710.03740, section 3.2), which float16 needs: its smallest
 * number is 6e-8, and many gradients are smaller. The same rule as torch.amp.GradScaler: a step whose gradients are not
 * all finite changes neither parameters nor optimizer and halves the scale; after 2,000 finite ones in a row it is
 * doubled. Scale and counter are part of the optimizer's state, and so of every checkpoint.
 */
export function dynamicLossScaling(
  optimizer: Optimizer,
  { initial = 2 ** 16, growthInterval = 2000 }: LossScalingOptions = {},
): ScaledOptimizer {
  if (!(initial > 0 && Number.isFinite(initial))) {
    throw new RangeError(`dynamicLossScaling: the initial scale is a number above 0; got ${initial}`);
  }
  if (!(Number.isInteger(growthInterval) && growthInterval > 0)) {
    throw new RangeError(`dynamicLossScaling: growthInterval must be a positive integer; got ${growthInterval}`);
  }
  return {
    lossScale: (state) => getTensor(state, scaleName),
    initialize: (parameters) => ({
      ...optimizer.initialize(parameters),
      [scaleName]: tf.scalar(initial),
      [counterName]: tf.scalar(0),
    }),
    update: (parameters, gradients, { [scaleName]: scale, [counterName]: counter, ...state }, scheduled) =>
      tf.tidy(() => {
        if (!scale || !counter) throw new Error('dynamicLossScaling: the state was not created by its initialize');
        const finite = allFinite(gradients);
        const unscaled = mapTensors(gradients, (gradient) => gradient.div(scale));
        const next = optimizer.update(parameters, unscaled, state, scheduled);
        const choose = (after: Tensor, before: Tensor) => select(finite, after, before);

        const finiteSteps = counter.add(1) as Tensor;
        const grows = finiteSteps.greaterEqual(growthInterval) as Tensor;
        const grown = select(grows, scale.mul(2), scale);
        return {
          parameters: zipTensors(next.parameters, parameters, choose),
          state: {
            ...zipTensors(next.state, state, choose),
            // Below 1 there would be nothing to gain: gradients that are infinite at 1 stay so, and `train` ends.
            [scaleName]: choose(grown, tf.maximum(scale.div(2), 1)),
            [counterName]: choose(select(grows, tf.scalar(0), finiteSteps), tf.scalar(0)),
          },
        };
      }),
  };
}

/** A boolean scalar. */
function allFinite(gradients: Tensors): Tensor {
  // A sum of zeros, or of something that is not: 0 times infinity is not a number.
  const zeros = Object.values(gradients).map((gradient) => gradient.mul(0).sum());
  return tf.addN(zeros).equal(0);
}

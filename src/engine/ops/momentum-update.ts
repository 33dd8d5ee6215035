import { hasCustomOps } from '../custom-ops.js';
import { attribute, executeOp, type Tensor } from '../runtime.js';

/** What a step of gradient descent with momentum changes, both of one shape. */
export interface MomentumTensors {
  parameter: Tensor;
  velocity: Tensor;
}

export interface MomentumStep {
  momentum: number;
  /** A scalar. */
  learningRate: Tensor;
  /** Coupled: so much of the parameter is added to the gradient. */
  weightDecay?: number;
}

/**
 * One step of gradient descent with momentum for one tensor, as torch.optim.SGD with dampening 0: d = g + decay p;
 * v' = momentum v + d; p' = p - rate v'.
 */
export function momentumUpdate(tensors: MomentumTensors, gradient: Tensor, options: MomentumStep): MomentumTensors {
  if (!hasCustomOps()) return composedMomentumUpdate(tensors, gradient, options);
  const { momentum, learningRate, weightDecay = 0 } = options;
  const [parameter, velocity] = executeOp(
    'PathlabMomentum',
    [
      attribute.type('T', 'float32'),
      attribute.float('momentum', momentum),
      attribute.float('weight_decay', weightDecay),
    ],
    [tensors.parameter, gradient, tensors.velocity, learningRate],
    2,
  );
  return { parameter: parameter!, velocity: velocity! };
}

/** The same from TensorFlow's own ops. */
export function composedMomentumUpdate(
  tensors: MomentumTensors,
  gradient: Tensor,
  { momentum, learningRate, weightDecay = 0 }: MomentumStep,
): MomentumTensors {
  const direction = weightDecay === 0 ? gradient : gradient.add(tensors.parameter.mul(weightDecay));
  const velocity: Tensor = tensors.velocity.mul(momentum).add(direction);
  return { parameter: tensors.parameter.sub(velocity.mul(learningRate)), velocity };
}

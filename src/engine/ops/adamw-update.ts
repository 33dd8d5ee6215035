import { hasCustomOps } from '../custom-ops.js';
import { attribute, executeOp, type Tensor, tf } from '../runtime.js';

/** What a step of AdamW changes, all of one shape: the parameter, and the means of its gradient and of its square. */
export interface AdamwTensors {
  parameter: Tensor;
  first: Tensor;
  second: Tensor;
}

export interface AdamwStep {
  betas: readonly [number, number];
  epsilon: number;
  /** Scalars. */
  learningRate: Tensor;
  weightDecay: Tensor;
  /** Number of this step, from 1; a scalar. */
  step: Tensor;
}

/** One step of AdamW (Loshchilov and Hutter, 2019; arXiv 1711.05101) for one tensor, as torch.optim.AdamW. */
export function adamwUpdate(tensors: AdamwTensors, gradient: Tensor, options: AdamwStep): AdamwTensors {
  if (!hasCustomOps()) return composedAdamwUpdate(tensors, gradient, options);
  const { betas, epsilon, learningRate, weightDecay, step } = options;
  const [parameter, first, second] = executeOp(
    'PathlabAdamW',
    [
      attribute.type('T', 'float32'),
      attribute.float('rest1', 1 - betas[0]),
      attribute.float('rest2', 1 - betas[1]),
      attribute.float('epsilon', epsilon),
    ],
    [tensors.parameter, gradient, tensors.first, tensors.second, learningRate, weightDecay, step],
    3,
  );
  return { parameter: parameter!, first: first!, second: second! };
}

/** The same from TensorFlow's own ops. */
export function composedAdamwUpdate(
  tensors: AdamwTensors,
  gradient: Tensor,
  { betas: [beta1, beta2], epsilon, learningRate, weightDecay, step }: AdamwStep,
): AdamwTensors {
  const first = blend(tensors.first, gradient, beta1);
  const second = blend(tensors.second, gradient.square(), beta2);
  const root = second.sqrt().div(bias(beta2, step).sqrt()).add(epsilon);
  const kept = tensors.parameter.sub(tensors.parameter.mul(learningRate.mul(weightDecay)));
  return { parameter: kept.sub(first.div(root).mul(learningRate.div(bias(beta1, step)))), first, second };
}

/** A running mean: beta old + (1 - beta) new. */
function blend(old: Tensor, now: Tensor, beta: number): Tensor {
  return old.mul(beta).add(now.mul(1 - beta));
}

/** 1 - beta^step. The power is so near to 1 at first that the difference would have few right digits in float32. */
function bias(beta: number, step: Tensor): Tensor {
  return tf.expm1(step.mul(Math.log(beta))).neg();
}

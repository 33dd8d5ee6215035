import type { Precision, Tensor } from '../engine/index.js';
import {
  adamw,
  cosine,
  dynamicLossScaling,
  freezing,
  isBiasOrNorm,
  lars,
  type Optimizer,
  type ScaledOptimizer,
  type Schedule,
  sgd,
  warmupCosine,
} from '../training/index.js';
import type { TrainingLength } from './method.js';

/** How weights are updated: plain values, which stand on pages and in a run's identity. */
export interface OptimizerSettings {
  optimizer: 'sgd' | 'lars' | 'adamw';
  /** At its peak, for the batch size of the source. */
  learningRate: number;
  /** What the learning rate falls to; 0 by default. */
  finalLearningRate?: number;
  /** Share of all steps over which the learning rate rises; then it falls by a cosine. */
  warmup: number;
  /** Of sgd and lars. */
  momentum?: number;
  /** Of adamw; .9 and .999 by default. */
  betas?: readonly [number, number];
  weightDecay: number;
  /** What the weight decay changes to, by a cosine; by default it stays. */
  finalWeightDecay?: number;
  /** Whether biases and norms decay too; not with lars, which excludes them. */
  decayAll?: boolean;
  /** Whether a transformer's class token and positions decay, as by default with sgd and adamw. */
  decayTokens?: boolean;
}

const isToken = (name: string) => /(^|\.)(cls_token|reg_token|pos_embed)$/.test(name);

/**
 * @param freezes see `freezing`
 * @throws RangeError for an optimizer that is none, or one for which `decayAll` or `decayTokens` is not
 */
export function optimizerOf(
  {
    optimizer,
    precision,
    momentum,
    betas,
    weightDecay,
    decayAll = false,
    decayTokens = true,
  }: OptimizerSettings & { precision: Precision },
  freezes?: (name: string) => boolean,
): Optimizer | ScaledOptimizer {
  const exclude = (name: string, parameter: Tensor) =>
    (!decayAll && isBiasOrNorm(name, parameter)) || (!decayTokens && isToken(name));
  const makers = {
    sgd: () => sgd({ momentum, weightDecay, exclude }),
    lars: () => lars({ momentum, weightDecay }),
    adamw: () => adamw({ betas, weightDecay, exclude }),
  };
  if (!Object.hasOwn(makers, optimizer)) {
    throw new RangeError(`optimizer is ${Object.keys(makers).join(', ')}; got ${JSON.stringify(optimizer)}`);
  }
  if ((decayAll || !decayTokens) && optimizer === 'lars') {
    throw new RangeError(
      'lars leaves biases and norms alone, and nothing else: decayAll and decayTokens are not for it',
    );
  }
  const made = freezes ? freezing(makers[optimizer](), freezes) : makers[optimizer]();
  return precision === 'float16' ? dynamicLossScaling(made) : made;
}

/** Learning rate and, where it changes, weight decay of each step. */
export function schedulesOf(
  { learningRate: peak, finalLearningRate: end, warmup, weightDecay, finalWeightDecay }: OptimizerSettings,
  { steps }: TrainingLength,
): { learningRate: Schedule; weightDecay?: Schedule } {
  return {
    learningRate: warmupCosine({ peak, warmupSteps: Math.round(warmup * steps), steps, end }),
    ...(finalWeightDecay !== undefined && { weightDecay: cosine({ from: weightDecay, to: finalWeightDecay, steps }) }),
  };
}

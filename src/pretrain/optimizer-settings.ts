import type { Precision, Tensor } from '../engine/index.js';
import {
  adamw,
  cosine,
  dynamicLossScaling,
  freezing,
  isBiasOrNorm,
  lars,
  multiStep,
  type Optimizer,
  type ScaledOptimizer,
  type Schedule,
  sgd,
  warmupCosine,
  withRateFactors,
  withWarmup,
} from '../training/index.js';
import type { TrainingLength } from './method.js';

/** How weights are updated: plain values, which stand on pages and in a run's identity. */
export interface OptimizerSettings {
  optimizer: 'sgd' | 'lars' | 'adamw';
  /** At its peak, for the batch size of the source. */
  learningRate: number;
  /** What the learning rate falls to by the cosine; 0 by default. */
  finalLearningRate?: number;
  /** Shares of all steps at which the learning rate falls to a tenth, instead of by a cosine: BiT's. */
  milestones?: readonly number[];
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
  /**
   * Of a transformer: the learning rate of each block as a share of the next one's, and so of the patches' embedding, the
   * tokens and positions before the first (Bao et al., 2021; arXiv 2106.08254). The last norm and heads have the whole.
   */
  layerDecay?: number;
}

/**
 * The factor of a parameter's learning rate.
 *
 * @param depth number of the transformer's blocks
 */
export function layerFactor(name: string, { layerDecay, depth }: { layerDecay: number; depth: number }): number {
  const block = /(^|\.)blocks\.(\d+)\./.exec(name)?.[2];
  if (block !== undefined) return layerDecay ** (depth - Number(block));
  return isToken(name) || /(^|\.)patch_embed\./.test(name) ? layerDecay ** (depth + 1) : 1;
}

const isToken = (name: string) => /(^|\.)(cls_token|reg_token|pos_embed)$/.test(name);

/**
 * @param network.freezes see `freezing`
 * @param network.depth number of blocks, of a transformer
 * @throws RangeError for an optimizer that is none, one for which `decayAll` or `decayTokens` is not, or `layerDecay` for a
 *   network that is no transformer
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
    layerDecay,
  }: OptimizerSettings & { precision: Precision },
  { freezes, depth }: { freezes?: (name: string) => boolean; depth?: number } = {},
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
  let made = makers[optimizer]();
  if (layerDecay !== undefined) {
    if (depth === undefined) throw new RangeError('layerDecay is for vision transformers, whose blocks are its layers');
    if (!(layerDecay > 0 && layerDecay <= 1))
      throw new RangeError(`layerDecay is above 0 and at most 1; got ${layerDecay}`);
    made = withRateFactors(made, (name) => layerFactor(name, { layerDecay, depth }));
  }
  if (freezes) made = freezing(made, freezes);
  return precision === 'float16' ? dynamicLossScaling(made) : made;
}

/** Learning rate and, where it changes, weight decay of each step. */
export function schedulesOf(
  { learningRate: peak, finalLearningRate: end, milestones, warmup, weightDecay, finalWeightDecay }: OptimizerSettings,
  { steps }: TrainingLength,
): { learningRate: Schedule; weightDecay?: Schedule } {
  const warmupSteps = Math.round(warmup * steps);
  return {
    learningRate: milestones
      ? withWarmup(
          multiStep({ rate: peak, milestones: milestones.map((share) => Math.round(share * steps) - warmupSteps) }),
          warmupSteps,
        )
      : warmupCosine({ peak, warmupSteps, steps, end }),
    ...(finalWeightDecay !== undefined && { weightDecay: cosine({ from: weightDecay, to: finalWeightDecay, steps }) }),
  };
}

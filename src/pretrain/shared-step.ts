import { canonicalJson } from '../base/index.js';
import type { BatchSource } from '../input/index.js';
import { type CompiledStep, compiledStep, type TrainOptions, trainingStep } from '../training/index.js';
import type { Method } from './method.js';

/** Settings that a step does not depend on. */
const inputs = new Set([
  ...['seed', 'init', 'resetBatchNorm', 'epochs', 'steps'],
  ...['learningRate', 'finalLearningRate', 'milestones', 'warmup'],
]);

/**
 * Keeps the compiled step of a training for the next one that differs in seed, initial weights, patches, learning rates or length
 * only: those are no part of a step, or come in as tensors.
 */
export class SharedStep {
  private known: { identity: string; step: CompiledStep<string> } | undefined;

  of<Name extends string>(
    method: Method<Name>,
    { settings, batches }: { settings: object; batches: BatchSource },
    training: TrainOptions<Name>,
  ): CompiledStep<Name> {
    const others = Object.entries(settings).filter(([name]) => !inputs.has(name));
    const { name, settings: own, backbone, views } = method;
    const { dataset, size, batchSize } = batches;
    const identity = canonicalJson({
      ...{ name, own, backbone: backbone.name, views, settings: Object.fromEntries(others) },
      ...{ dataset: dataset.indexSha256, size, batchSize },
    });
    if (this.known?.identity !== identity) {
      this.dispose();
      const step = compiledStep(trainingStep(training.objective, training.optimizer, training), training);
      this.known = { identity, step: step as unknown as CompiledStep<string> };
    }
    return this.known.step as unknown as CompiledStep<Name>;
  }

  /** Frees the step. */
  dispose(): void {
    this.known?.step.dispose();
    this.known = undefined;
  }
}

import { canonicalJson } from '../base/index.js';
import type { BatchSource } from '../input/index.js';
import { type CompiledStep, compiledStep, type TrainOptions, trainingStep } from '../training/index.js';
import type { Method } from './method.js';

/** Keeps the compiled step of a training for the next one that differs in seed, initial weights, patches or rates only. */
export class SharedStep {
  private known: { identity: string; step: CompiledStep<string> } | undefined;

  of<Name extends string>(
    method: Method<Name>,
    { settings, batches }: { settings: { seed: unknown; init?: string }; batches: BatchSource },
    training: TrainOptions<Name>,
  ): CompiledStep<Name> {
    const { seed: _, init: __, ...others } = settings;
    const { name, settings: own, backbone, views } = method;
    const { dataset, size, batchSize } = batches;
    const identity = canonicalJson({
      ...{ name, own, backbone: backbone.name, views, settings: others },
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

import { tf } from '../engine/index.js';
import { type ClassifiedCases, classificationMetrics, classifiedCases } from '../evaluate/index.js';
import { PatchPredictor } from '../finetune/index.js';
import type { FineTuneTask } from './finetune-recipe.js';

type Metrics = typeof classificationMetrics;

/** Classification of patches; of each, the class probabilities are kept. */
export function classification(main: keyof Metrics, others: readonly (keyof Metrics)[]): FineTuneTask<ClassifiedCases> {
  return {
    masks: false,
    metrics: Object.fromEntries([main, ...others].map((name) => [name, classificationMetrics[name]])),
    main,
    predictor(of) {
      const predictor = new PatchPredictor(of);
      return {
        async predict(model, source, options) {
          const { values, count, classes } = await predictor.predict(model, source, options);
          return { probabilities: tf.tensor2d(values, [count, classes]) };
        },
        dispose: () => predictor.dispose(),
      };
    },
    async results({ probabilities }, cases) {
      return classifiedCases({ probabilities: await probabilities!.data<'float32'>(), ...cases });
    },
  };
}

import type { ClassifiedCases } from '../evaluate/index.js';
import { classification } from './finetune-classification.js';
import { demo, paper, smoke } from './finetune-ptcga200.js';
import type { FineTunePage } from './finetune-recipe.js';

/** Of notebook 21: the recipes of notebook 20, on two classes. */
export const fineTunePcam200: FineTunePage<ClassifiedCases> = {
  task: classification('auroc', ['auprc', 'accuracy', 'balancedAccuracy', 'macroF1', 'calibrationError']),
  dataset: 'pcam200',
  cohorts: {
    smoke: { kind: 'pcam200', patients: 6, columns: 3, rows: 3 },
    demo: { kind: 'pcam200', patients: 18, columns: 3, rows: 3 },
  },
  recipes: { smoke, demo, paper },
};

import { compareMethodStep } from './method-step.mjs';

await compareMethodStep('byol-step', 'byol');

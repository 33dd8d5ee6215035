import { compareMethodStep } from './method-step.mjs';

await compareMethodStep('finetune-step', 'supervised');

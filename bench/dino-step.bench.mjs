import { compareMethodStep } from './method-step.mjs';

await compareMethodStep('dino-step', 'dino');

import { compareMethodStep } from './method-step.mjs';

await compareMethodStep('simclr-step', 'simclr');

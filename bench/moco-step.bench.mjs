import { compareMethodStep } from './method-step.mjs';

await compareMethodStep('moco-step', 'mocov2');

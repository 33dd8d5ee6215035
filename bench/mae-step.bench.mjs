import { compareMethodStep } from './method-step.mjs';

await compareMethodStep('mae-step', 'mae');

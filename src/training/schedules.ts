/** Learning rate of each step, counted from 0; it depends on the step alone, so that a resumed run goes on with it. */
export type Schedule = (step: number) => number;

/**
 * Linear warm-up to `peak`, reached at the last warm-up step, then a half cosine to 0 (Loshchilov and Hutter, 2017;
 * arXiv 1608.03983, without restarts).
 */
export function warmupCosine(options: { peak: number; warmupSteps: number; steps: number }): Schedule {
  const { peak, warmupSteps, steps } = options;
  if (!(warmupSteps >= 0 && warmupSteps < steps)) {
    throw new RangeError(`warm-up takes ${warmupSteps} steps, which leaves nothing of ${steps}`);
  }
  return (step) => {
    if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
    return (peak / 2) * (1 + Math.cos((Math.PI * (step - warmupSteps)) / (steps - warmupSteps)));
  };
}

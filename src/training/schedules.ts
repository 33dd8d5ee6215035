/** Learning rate of each step, counted from 0; it depends only on the step, so that a resumed run continues it. */
export type Schedule = (step: number) => number;

/**
 * Linear warm-up to `peak`, reached at the last warm-up step, then a half cosine to `end`, 0 by default (Loshchilov and
 * Hutter, 2017; arXiv 1608.03983, without restarts).
 */
export function warmupCosine(options: { peak: number; warmupSteps: number; steps: number; end?: number }): Schedule {
  const { peak, warmupSteps, steps, end = 0 } = options;
  if (!(warmupSteps >= 0 && warmupSteps < steps)) {
    throw new RangeError(`warm-up takes ${warmupSteps} steps, but the training has only ${steps}`);
  }
  return withWarmup(cosine({ from: peak, to: end, steps: steps - warmupSteps }), warmupSteps);
}

/** A half cosine between two values, which would reach `to` at step `steps`: BYOL's and DINO's decay of the average. */
export function cosine({ from, to, steps }: { from: number; to: number; steps: number }): Schedule {
  if (!(steps > 0)) throw new RangeError(`cosine: steps must be at least 1; got ${steps}`);
  return (step) => to + ((from - to) / 2) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps));
}

/** The rate is multiplied by `gamma` at each milestone, a step; as PyTorch's MultiStepLR. */
export function multiStep({
  rate,
  milestones,
  gamma = 0.1,
}: {
  rate: number;
  milestones: readonly number[];
  gamma?: number;
}): Schedule {
  return (step) => rate * gamma ** milestones.filter((milestone) => milestone <= step).length;
}

/** Linear warm-up, followed by the schedule from its step 0. */
export function withWarmup(schedule: Schedule, warmupSteps: number): Schedule {
  return (step) => {
    if (step < warmupSteps) return (schedule(0) * (step + 1)) / warmupSteps;
    return schedule(step - warmupSteps);
  };
}

/** What `minimize` found. */
export interface Minimum {
  point: Float64Array;
  value: number;
  iterations: number;
  /** Whether every element of the gradient is below the tolerance. */
  converged: boolean;
}

const history = 10;
/** Armijo's condition, and the most halvings of a step. */
const [sufficient, maxHalvings] = [1e-4, 30];

/**
 * Minimizes a smooth function by L-BFGS with a backtracking line search (Nocedal and Wright, Numerical Optimization, 2nd
 * edition, algorithms 7.4, 7.5 and 3.1). A pair of negative curvature is left out.
 */
export async function minimize(
  evaluate: (point: Float64Array) => Promise<{ value: number; gradient: Float64Array }>,
  start: Float64Array,
  { maxIterations, tolerance }: { maxIterations: number; tolerance: number },
): Promise<Minimum> {
  let point = start;
  let { value, gradient } = await evaluate(point);
  const pairs: { step: Float64Array; change: Float64Array; curvature: number }[] = [];
  for (let iterations = 0; ; iterations++) {
    if (gradient.every((slope) => Math.abs(slope) < tolerance)) return { point, value, iterations, converged: true };
    if (iterations === maxIterations) return { point, value, iterations, converged: false };
    const direction = descentDirection(gradient, pairs);
    const slope = dot(gradient, direction);
    let size = pairs.length > 0 ? 1 : Math.min(1, 1 / Math.sqrt(dot(gradient, gradient)));
    let next: { point: Float64Array; value: number; gradient: Float64Array } | undefined;
    for (let halvings = 0; halvings < maxHalvings; halvings++, size /= 2) {
      const tried = point.map((coordinate, place) => coordinate + size * direction[place]!);
      const found = await evaluate(tried);
      if (found.value <= value + sufficient * size * slope) {
        next = { point: tried, ...found };
        break;
      }
    }
    // No step is downhill any more: rounding is what is left.
    if (!next) return { point, value, iterations, converged: false };
    const step = difference(next.point, point);
    const change = difference(next.gradient, gradient);
    const curvature = dot(step, change);
    if (curvature > 1e-10 * dot(change, change)) pairs.push({ step, change, curvature });
    if (pairs.length > history) pairs.shift();
    ({ point, value, gradient } = next);
  }
}

/** The two-loop recursion: minus the gradient by an approximate inverse Hessian. */
function descentDirection(
  gradient: Float64Array,
  pairs: readonly { step: Float64Array; change: Float64Array; curvature: number }[],
): Float64Array {
  const direction = gradient.map((slope) => -slope);
  const shares: number[] = [];
  for (const { step, change, curvature } of [...pairs].reverse()) {
    const share = dot(step, direction) / curvature;
    addScaled(direction, change, -share);
    shares.unshift(share);
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = last.curvature / dot(last.change, last.change);
    for (let place = 0; place < direction.length; place++) direction[place]! *= scale;
  }
  for (const [index, { step, change, curvature }] of pairs.entries()) {
    addScaled(direction, step, shares[index]! - dot(change, direction) / curvature);
  }
  return direction;
}

function dot(one: Float64Array, other: Float64Array): number {
  let sum = 0;
  for (let place = 0; place < one.length; place++) sum += one[place]! * other[place]!;
  return sum;
}

function difference(one: Float64Array, other: Float64Array): Float64Array {
  return one.map((coordinate, place) => coordinate - other[place]!);
}

function addScaled(target: Float64Array, added: Float64Array, scale: number): void {
  for (let place = 0; place < target.length; place++) target[place]! += scale * added[place]!;
}

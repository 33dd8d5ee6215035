/*
 * Three distribution functions with closed forms; a library for them brings scores of packages.
 */

/** Probability of a standard normal value of at most `z` (Marsaglia, "Evaluating the normal distribution", 2004). */
export function normalCdf(z: number): number {
  if (Math.abs(z) > 8) return z > 0 ? 1 : 0;
  let [sum, term] = [z, z];
  for (let power = 3; sum + term !== sum; power += 2) {
    term *= (z * z) / power;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

/**
 * Probability of a value of Student's t between -t and t (Abramowitz and Stegun, "Handbook of mathematical functions",
 * 26.7.3 and 26.7.4).
 *
 * @param degrees of freedom, a positive integer
 */
export function studentWithin(t: number, degrees: number): number {
  const theta = Math.atan(Math.abs(t) / Math.sqrt(degrees));
  const [sine, square] = [Math.sin(theta), Math.cos(theta) ** 2];
  const odd = degrees % 2 === 1;
  let term = odd ? Math.cos(theta) : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let power = odd ? 3 : 2; power < degrees; power += 2) {
    term *= (square * (power - 1)) / power;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (theta + sine * sum) : sine * sum;
}

/** The t of which `studentWithin` is `level`, by bisection. */
export function studentQuantile(level: number, degrees: number): number {
  let [low, high] = [0, 1];
  while (studentWithin(high, degrees) < level) high *= 2;
  for (let halving = 0; halving < 100; halving++) {
    const middle = (low + high) / 2;
    if (studentWithin(middle, degrees) < level) low = middle;
    else high = middle;
  }
  return high;
}

/** Probability of at most `successes` in `trials` tosses of a coin. */
export function coinCdf(successes: number, trials: number): number {
  let [sum, logTerm] = [0, -trials * Math.LN2];
  for (let count = 0; count <= successes; count++) {
    sum += Math.exp(logTerm);
    logTerm += Math.log((trials - count) / (count + 1));
  }
  return Math.min(1, sum);
}

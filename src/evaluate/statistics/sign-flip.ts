/** 2^19 evaluations. With more pairs a bootstrap serves. */
const maxPairs = 20;

/**
 * Exact two-sided p-value of paired results (Fisher's randomization test). If two arms do not differ, then the arms'
 * results on a patient might as well be swapped, which flips the sign of the patient's difference: the p-value is the
 * fraction of all 2^pairs ways to swap whose difference is at least as large as the one seen. With n pairs it is 2 / 2^n
 * at least.
 *
 * @param difference of the arms when the marked pairs are swapped; with the other pairs swapped it has the other sign
 * @returns null if the difference does not exist for some way to swap
 * @throws RangeError for more than 20 pairs: resamples of the ways would not be exact, and patients can be bootstrapped
 */
export function signFlipPValue(pairs: number, difference: (swapped: Uint8Array) => number | null): number | null {
  if (!(Number.isInteger(pairs) && pairs > 0 && pairs <= maxPairs)) {
    throw new RangeError(
      `an exact sign-flip test takes 1 to ${maxPairs} pairs; got ${pairs} (bootstrap more patients than that)`,
    );
  }
  // The first pair is never swapped: swapping the others instead only changes the sign.
  const ways = 2 ** (pairs - 1);
  const sizes = new Float64Array(ways);
  const swapped = new Uint8Array(pairs);
  for (let way = 0; way < ways; way++) {
    for (let pair = 1; pair < pairs; pair++) swapped[pair] = (way >> (pair - 1)) & 1;
    const value = difference(swapped);
    if (value === null) return null;
    sizes[way] = Math.abs(value);
  }
  // Equal sums differ by rounding.
  const seen = sizes[0]! - 1e-12 * sizes.reduce((largest, size) => Math.max(largest, size), 0);
  return sizes.reduce((count, size) => count + Number(size >= seen), 0) / ways;
}

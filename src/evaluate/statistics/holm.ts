/**
 * Holm's adjusted p-values (Holm, "A simple sequentially rejective multiple test procedure", 1979): rejecting those below
 * alpha keeps the probability of any false rejection in the family below alpha, whatever the tests' dependence. The family
 * is all comparisons named before looking that could be tested: one without a p-value is 1, and does not count.
 */
export function holm(pValues: readonly (number | null)[]): number[] {
  const known = pValues.map((p) => p ?? 1);
  const wrong = known.find((p) => !(p >= 0 && p <= 1));
  if (wrong !== undefined) throw new RangeError(`a p-value is in 0 to 1; got ${wrong}`);
  const adjusted = new Array<number>(known.length);
  let largest = 0;
  const tested = [...known.keys()].filter((place) => pValues[place] !== null);
  adjusted.fill(1);
  for (const [rank, place] of tested.sort((one, other) => known[one]! - known[other]!).entries()) {
    largest = Math.max(largest, Math.min(1, (tested.length - rank) * known[place]!));
    adjusted[place] = largest;
  }
  return adjusted;
}

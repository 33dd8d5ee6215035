/**
 * Names that are the same but for the case of their letters, such as p1 and P1, each such set in order: they count as two,
 * and are often one that was written in two ways.
 */
export function differInCaseAlone(names: Iterable<string | null>): string[][] {
  const written = new Map<string, Set<string>>();
  for (const name of names) {
    if (name === null) continue;
    const plain = name.toLowerCase();
    const ways = written.get(plain);
    if (ways) ways.add(name);
    else written.set(plain, new Set([name]));
  }
  return [...written.values()].filter((ways) => ways.size > 1).map((ways) => [...ways].sort());
}

/**
 * Names that are the same but for the case of their letters, zeros before a number, a number's ".0" or spaces around them,
 * such as p1 and P1, 7 and 007, 3 and 3.0, each such set in order: they count as two, and are often one that was written in
 * two ways.
 */
export function similarNames(names: Iterable<string | null>): string[][] {
  const written = new Map<string, Set<string>>();
  for (const name of names) {
    if (name === null) continue;
    const ways = written.get(plain(name));
    if (ways) ways.add(name);
    else written.set(plain(name), new Set([name]));
  }
  return [...written.values()].filter((ways) => ways.size > 1).map((ways) => [...ways].sort());
}

function plain(name: string): string {
  const text = name.trim().toLowerCase();
  return text.replace(/(?<=\d)\.0+(?![\d.])/g, '').replace(/(?<![\d.])0+(?=\d)/g, '');
}

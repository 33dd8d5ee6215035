/** A size in words, such as `3.2 MiB`. */
export function sizeWords(bytes: number): string {
  const [unit, power] = bytes >= 2 ** 30 ? ['GiB', 30] : bytes >= 2 ** 20 ? ['MiB', 20] : (['KiB', 10] as const);
  return `${(bytes / 2 ** (power as number)).toFixed(1)} ${unit}`;
}

/** Bytes by the part of a site: run files, weights, API pages, and what is at the top. */
export function sizeByPart(files: readonly { path: string; bytes: number }[]): Record<string, number> {
  const parts: Record<string, number> = { runs: 0, weights: 0, 'API pages': 0, 'gallery, numbers and metadata': 0 };
  const names: Readonly<Record<string, string>> = { runs: 'runs', weights: 'weights', api: 'API pages' };
  for (const { path, bytes } of files) {
    const part = path.includes('/') ? names[path.slice(0, path.indexOf('/'))] : undefined;
    parts[part ?? 'gallery, numbers and metadata']! += bytes;
  }
  return parts;
}

/** `12.0 MiB: runs 8.0 MiB, weights 4.0 MiB`. */
export function sizeSentence(files: readonly { path: string; bytes: number }[]): string {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const parts = Object.entries(sizeByPart(files)).filter(([, bytes]) => bytes > 0);
  return `${sizeWords(total)}: ${parts.map(([name, bytes]) => `${name} ${sizeWords(bytes)}`).join(', ')}`;
}

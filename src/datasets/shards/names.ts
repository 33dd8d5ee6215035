import { fileNameWords, isFileName } from '../schema.js';

/**
 * Checks a name that becomes that of a file or folder: of a dataset, or of a slide.
 *
 * @param what for the error: `the slide id`
 * @throws RangeError when the name could lead out of its folder, hide, or be read differently on another machine
 */
export function requireSafeName(name: string, what: string): void {
  if (isFileName(name)) return;
  throw new RangeError(`${what} ${JSON.stringify(name)} cannot name a file: it must be ${fileNameWords}`);
}

/**
 * @throws RangeError when two ids are equal, or differ only in upper and lower case, which some file systems do not tell apart
 */
export function requireDistinctNames(ids: readonly string[], what: string): void {
  const seen = new Map<string, string>();
  for (const id of ids) {
    const other = seen.get(id.toLowerCase());
    if (other === id) throw new RangeError(`${what} "${id}" occurs twice`);
    if (other !== undefined) throw new RangeError(`${what} "${other}" and "${id}" differ only in upper and lower case`);
    seen.set(id.toLowerCase(), id);
  }
}

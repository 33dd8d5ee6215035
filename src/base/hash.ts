import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** SHA-256 of text (UTF-8) or bytes, in hexadecimal. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** A digest of a file's bytes, read as a stream. */
export async function digestOfFile(path: string, algorithm: 'sha256' | 'md5' = 'sha256'): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** SHA-256 over the relative names and bytes of every file under `folder` that `keep` accepts, in name order. */
export function sha256OfTree(folder: string, keep: (relativePath: string) => boolean = () => true): string {
  const hash = createHash('sha256');
  for (const path of filesUnder(folder)) {
    const name = relative(folder, path).split(sep).join('/');
    if (keep(name)) hash.update(`${name}\0${sha256(readFileSync(path))}\n`);
  }
  return hash.digest('hex');
}

function filesUnder(folder: string): string[] {
  const found: string[] = [];
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) found.push(...filesUnder(path));
    else found.push(path);
  }
  return found;
}

/**
 * JSON with sorted keys and without `undefined`, so that equal values have equal hashes.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => {
    if (typeof part === 'number' && !Number.isFinite(part)) {
      throw new TypeError(`${part} cannot be hashed as JSON`);
    }
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}

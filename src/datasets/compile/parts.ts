import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, sha256, writeFileAtomic } from '../../base/index.js';
import type { SlideFailure } from './report.js';
import type { ShardTask } from './shard-queue.js';

/** A share of a dataset that one process compiles, from 1: `{ number: 3, of: 8 }`. */
export interface CompilePart {
  number: number;
  of: number;
}

/** The tasks of a part, by the hash of their ids, so that every machine computes the same parts. */
export function tasksOfPart(tasks: readonly ShardTask[], { number, of }: CompilePart): ShardTask[] {
  if (!(Number.isSafeInteger(of) && of > 0 && Number.isSafeInteger(number) && number > 0 && number <= of)) {
    throw new RangeError(`a part is 1/N to N/N; got ${number}/${of}`);
  }
  return tasks.filter(({ id }) => Number.parseInt(sha256(id).slice(0, 8), 16) % of === number - 1);
}

/** Stores the failures of a part, for the report that is written when all parts have ended. */
export async function writePart(folder: string, { number, of }: CompilePart, failures: readonly SlideFailure[]) {
  await writeFileAtomic(join(folder, 'parts', `${number}-of-${of}.json`), `${canonicalJson(failures)}\n`);
}

/** Failures by slide id, from all parts that have ended. */
export async function failuresOfParts(folder: string): Promise<Map<string, string>> {
  const reasons = new Map<string, string>();
  for (const name of await readdir(join(folder, 'parts')).catch(() => [])) {
    const failures = JSON.parse(await readFile(join(folder, 'parts', name), 'utf8')) as SlideFailure[];
    for (const { slide, reason } of failures) reasons.set(slide, reason);
  }
  return reasons;
}

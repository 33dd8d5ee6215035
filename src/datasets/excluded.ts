import type { LockFile } from './lock-file.js';

/**
 * How many slides (or patches) are excluded for one reason; reasons that differ only in numbers and names count as one.
 */
export interface ExcludedByReason {
  reason: string;
  slides: number;
  /** Ids of the first. */
  examples: string[];
}

/** A list's exclusions, the most frequent reason first. */
export function byReason(excluded: LockFile['excluded']): ExcludedByReason[] {
  const reasons = new Map<string, ExcludedByReason>();
  for (const { id, reason } of excluded) {
    const kind = reason
      .replace(/^its \d+ bytes are/, 'its bytes are')
      .replace(/^the same bytes as .*/, 'the same bytes as another');
    const entry = reasons.get(kind) ?? { reason: kind, slides: 0, examples: [] };
    entry.slides++;
    if (entry.examples.length < 5) entry.examples.push(id);
    reasons.set(kind, entry);
  }
  return [...reasons.values()].sort((one, other) => other.slides - one.slides || (one.reason < other.reason ? -1 : 1));
}

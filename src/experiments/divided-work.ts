import { readEvents } from '../runs/index.js';
import type { ExchangeCost } from '../training/index.js';

/** How processes divided a training among them, and what that cost. */
export interface DividedWork {
  /** In order; a training may go on with another number. */
  parts: { processes: number; firstStep: number; lastStep: number }[];
  /** Medians over the reports of the training; undefined if it ended before the first. */
  cost: ExchangeCost | undefined;
}

const costNames = ['efficiency', 'waitingShare', 'exchangeShare', 'exchangedBytes'] as const;

/**
 * Reads it from a training's `events.jsonl`.
 *
 * @returns undefined for a training in one process throughout
 */
export async function dividedWork(log: string): Promise<DividedWork | undefined> {
  const parts: DividedWork['parts'] = [];
  const reports: ExchangeCost[] = [];
  for await (const event of readEvents(log, { kind: 'step' })) {
    const { step, processes = 1 } = event as unknown as { step: number; processes?: number };
    const part = parts.at(-1);
    if (part?.processes === processes) part.lastStep = step;
    else parts.push({ processes, firstStep: step, lastStep: step });
    if (typeof event.efficiency === 'number') reports.push(event as unknown as ExchangeCost);
  }
  if (!parts.some(({ processes }) => processes > 1)) return undefined;
  const medianOf = (name: keyof ExchangeCost) => {
    const sorted = reports.map((report) => report[name]).sort((one, other) => one - other);
    return sorted[Math.floor(sorted.length / 2)]!;
  };
  const medians = costNames.map((name) => [name, medianOf(name)] as const);
  return { parts, cost: reports.length > 0 ? (Object.fromEntries(medians) as unknown as ExchangeCost) : undefined };
}

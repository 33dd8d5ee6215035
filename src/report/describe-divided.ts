import type { DividedWork } from '../experiments/index.js';
import { percent } from './charts.js';

/** How processes divided a training, and what it cost, for a run's provenance; nothing for a training in one. */
export function describeDivided(work: DividedWork | undefined): Record<string, string> {
  if (!work) return {};
  const { parts, cost } = work;
  const each = parts.map(({ processes, firstStep, lastStep }) => `${processes} in steps ${firstStep} to ${lastStep}`);
  const processes = parts.length === 1 ? String(parts[0]!.processes) : each.join(', ');
  if (!cost) return { processes };
  const { efficiency, waitingShare, exchangeShare, exchangedBytes } = cost;
  return {
    processes,
    'time of a step':
      `${percent(efficiency)} own work of a process, ${percent(waitingShare)} waiting for slower processes, ` +
      `${percent(exchangeShare)} exchange (medians)`,
    'exchanged in a step': `${(exchangedBytes / 1e6).toPrecision(3)} MB by each process`,
  };
}

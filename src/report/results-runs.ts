import { interruptSignal, key } from '../base/index.js';
import { type ComparedGroup, compareGroups, type Results } from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { pageLinks } from './results-cells.js';
import { sayInstead } from './say-instead.js';
import { showTable } from './table.js';

/** Shows the runs that the tables are made of, and what is left out and why. */
export async function showResultRuns(run: Run, { runs, leftOut }: Results): Promise<void> {
  await run.emit({ kind: 'runs gathered', runs: runs.length, leftOut: leftOut.length });
  if (runs.length === 0)
    await sayInstead('No finished pretraining or fine-tuning was found: the tables have the paper alone.');
  else {
    await showTable(
      runs.map(({ id, notebook, scale, provenance }) => ({
        ...{ id, notebook, scale, seed: String(provenance.seed) },
        data: provenance.data.map(({ name }) => name),
        device: String(provenance.device.name ?? 'not known'),
        ended: provenance.ended.slice(0, 16).replace('T', ' '),
      })),
      {
        caption: 'Runs',
        columns: {
          id: 'Run',
          notebook: 'Notebook',
          scale: 'Scale',
          seed: 'Seed',
          data: 'Data',
          device: 'Device',
          ended: 'Ended, UTC',
        },
        links: pageLinks(run, runs),
      },
    );
  }
  if (leftOut.length > 0) {
    const columns = { name: 'Run', reason: 'Why' };
    await showTable(leftOut, { caption: 'Left out', columns, links: pageLinks(run, runs) });
  }
}

/** Compares the columns (see `compareGroups`). */
export async function compareResults({ groups, seed }: Results): Promise<ComparedGroup[]> {
  return compareGroups(groups, { key: key(seed).fold('results'), resamples: 2000, signal: interruptSignal() });
}

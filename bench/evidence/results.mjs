import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromCSV } from 'arquero';
import { holm } from '../../dist/evaluate/statistics/holm.js';
import { runIdentity } from '../../dist/runs/index.js';

/**
 * What a fine-tuning run found, from its results.csv.
 *
 * @param {string} folder the run's
 * @param {{set: string, backbone: string, metric: string}} of the metric of the differences
 * @returns {{values: object[], differences: object[], run: string, about: string}}
 */
export function resultsIn(folder, { set, backbone, metric }) {
  const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const { runHash } = read('provenance.json');
  const { metrics } = read('metrics.json');
  const rows = fromCSV(readFileSync(join(folder, 'results.csv'), 'utf8')).objects();
  const { about } = metrics[0];
  const cell = { set, backbone, labels: Number(/labels of (\d+)/.exec(about)[1]) };
  return {
    run: runHash,
    about,
    values: rows
      .filter(({ against }) => !against)
      .map(({ arm, metric, value, low, high, runs, fineTuningDeviation }) => ({
        ...{ ...cell, arm, metric, value, low, high, runs, fineTuningDeviation },
      })),
    differences: rows
      .filter((row) => row.against && row.metric === metric)
      .map(({ arm, against, value, low, high, p }) => ({ ...cell, arm, against, metric, value, low, high, p })),
  };
}

/** The differences with p-values adjusted by Holm over all of them. */
export function adjusted(differences) {
  const values = holm(differences.map(({ p }) => p ?? null));
  return differences.map((difference, place) => ({ ...difference, adjustedP: values[place] }));
}

/**
 * Whether a planned run is finished.
 *
 * @returns {boolean}
 * @throws Error if one is there that was made by other code, or with other parameters
 */
export function isFinished(folder, { notebook, parameters }) {
  if (!existsSync(join(folder, 'provenance.json'))) return false;
  const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const { hashes } = runIdentity(notebook, { scale: parameters.scale });
  const [{ hashes: own }, given] = [read('provenance.json'), read('parameters.json')];
  const other =
    Object.keys(hashes).find((part) => hashes[part] !== own[part]) ??
    Object.keys(parameters).find((name) => parameters[name] !== given[name]);
  if (other === undefined) return true;
  throw new Error(`${folder} is there with other ${other}: move it away, or go back to the commit that made it`);
}

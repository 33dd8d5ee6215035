import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromCSV } from 'arquero';
import { digestOfFile } from '../../dist/base/index.js';
import { holm } from '../../dist/evaluate/index.js';
import { runIdentity } from '../../dist/runs/index.js';

const readIn = (folder) => (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

/**
 * What a fine-tuning run found.
 *
 * @param {string} folder the run's
 * @param {{set: string, backbone: string, metric: string, rename?: Record<string, string>}} of the metric of the differences, and
 *   other names of arms
 * @returns {{run: string, testUnits: number, values: object[], differences: object[]}} p-values not adjusted
 */
export function resultsIn(folder, { set, backbone, metric, rename = {} }) {
  const read = readIn(folder);
  const { labelled, available, sites } = read('test-cases.json');
  const rows = fromCSV(readFileSync(join(folder, 'results.csv'), 'utf8')).objects();
  const cell = { set, backbone, labels: labelled, available };
  const named = (arm) => rename[arm] ?? arm;
  return {
    run: read('provenance.json').runHash,
    testUnits: sites.length,
    values: rows
      .filter(({ against }) => !against)
      .map(({ arm, metric, value, low, high, runs, fineTuningDeviation }) => ({
        ...{ ...cell, arm: named(arm), metric, value, low, high, runs, fineTuningDeviation },
      })),
    differences: rows
      .filter((row) => row.against && row.metric === metric)
      .map(({ arm, against, value, low, high, p, test }) => ({
        ...{ ...cell, arm: named(arm), against: named(against), metric, value, low, high, p, test },
      })),
  };
}

/** How long the pretraining of a finished run took, with evaluations, in seconds on the machine that it ran on. */
export function pretrainingCost(folder) {
  const { seconds, steps, images } = readIn(folder)('costs.json').find(({ name }) => name === 'pretraining');
  return { seconds: Math.round(seconds), steps, images };
}

const isSame = (one, other) =>
  ['set', 'backbone', 'labels', 'arm', 'against'].every((part) => one[part] === other[part]);

/** Differences of which only those of the family keep their p-values. */
export function withoutSecondaryP(family, differences) {
  return differences.map(({ p, test, ...difference }) =>
    family.some((planned) => isSame(planned, difference)) ? { ...difference, p, test } : difference,
  );
}

/**
 * The family with p-values adjusted by Holm over all of it. What is not measured, or has no p-value, counts as p = 1.
 *
 * @param {object[]} family comparisons with set, backbone, labels, arm and against
 * @param {object[]} differences those measured, with p
 * @returns {object[]} in the order of the family, each with `isMeasured`
 */
export function adjusted(family, differences) {
  const found = family.map((planned) => differences.find((each) => isSame(planned, each)));
  const values = holm(found.map((difference) => difference?.p ?? 1));
  return family.map((planned, place) => ({
    ...{ ...planned, ...found[place] },
    ...{ isMeasured: found[place] !== undefined, adjustedP: values[place] },
  }));
}

/**
 * Whether a planned run is finished.
 *
 * @param {string} folder the run's
 * @param {{notebook: string, parameters: object}} planned
 * @param {string} root of the project, where paths of first weights begin
 * @returns {Promise<boolean>}
 * @throws Error if one is there that was made by other code, with other parameters, or began with other weights than are there now
 */
export async function isFinished(folder, { notebook, parameters }, root) {
  if (!existsSync(join(folder, 'provenance.json'))) return false;
  const read = readIn(folder);
  const { hashes } = runIdentity(notebook, { scale: parameters.scale });
  const [{ hashes: own, weights }, given] = [read('provenance.json'), read('parameters.json')];
  const names = [...new Set([...Object.keys(parameters), ...Object.keys(given)])];
  const other =
    Object.keys(hashes).find((part) => hashes[part] !== own[part]) ??
    names.find((name) => parameters[name] !== given[name]) ??
    (await otherWeights(parameters.init, weights, root));
  if (other === undefined) return true;
  throw new Error(`${folder} is there with other ${other}: move it away, or go back to the commit that made it`);
}

/** The pretraining whose weights are not those that a run began with. */
async function otherWeights(init, weights, root) {
  for (const run of (init ?? '').split(',').filter((each) => each.includes('/'))) {
    const path = join(root, run, 'backbone.safetensors');
    const before = Object.entries(weights).find(([name]) => name.endsWith(`: ${run}, backbone.safetensors`))?.[1];
    if (before === undefined || !existsSync(path) || (await digestOfFile(path)) !== before) return `weights of ${run}`;
  }
  return undefined;
}

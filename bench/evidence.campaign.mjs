// npm run campaign -- evidence [SET ...]: what pretraining buys on small sets of real patches, all or those named. Every
// self-supervised method is trained on the patches of a set's training patients, without their labels; then every network is
// fine-tuned with the labels of few or all of them, each arm with the same budget on the same patients. These are runs of the
// notebooks, in results/evidence; finished ones are taken as they are, so that the command continues after an interrupt. The
// results of sets that are not named stay as they are. Takes hours a set.
//
//   --patches FOLDER   where the sets are (../shared/data/patches)
//   --plan             only lists the runs, and which are finished
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runNotebook } from '../dist/cli/run.js';
import { writeCampaignResult } from './campaign-result.mjs';
import { learningCurves } from './evidence/figure.mjs';
import { runsOf, sets } from './evidence/plan.mjs';
import { adjusted, isFinished, resultsIn } from './evidence/results.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { patches: { type: 'string', default: '../shared/data/patches' }, plan: { type: 'boolean' } },
});
const unknown = positionals.find((name) => !sets.some((set) => set.name === name));
if (unknown !== undefined) stop(`there is no set ${unknown}: ${sets.map(({ name }) => name).join(', ')}`);
const asked = positionals.length > 0 ? sets.filter(({ name }) => positionals.includes(name)) : sets;
for (const { name } of asked) {
  const table = join(resolve(root, options.patches), name, 'index.csv');
  if (!existsSync(table)) stop(`there is no ${table}: say with --patches FOLDER where the sets are`);
}

const planned = asked.flatMap((set) => runsOf(set, options.patches).map((run) => ({ ...run, set })));
const done = planned.map((run) => isFinished(join(root, run.out), run));
if (options.plan) {
  for (const [place, { out }] of planned.entries()) console.log(`${done[place] ? 'finished' : 'to do   '}  ${out}`);
  process.exit();
}
const resultsPath = fileURLToPath(new URL('results/evidence.json', import.meta.url));
const measured = existsSync(resultsPath) ? JSON.parse(readFileSync(resultsPath, 'utf8')).sets : {};
for (const [place, { notebook, out, parameters, set }] of planned.entries()) {
  if (!done[place]) {
    console.log(`${place + 1} of ${planned.length}: ${out}`);
    const { status } = await runNotebook(notebook, { ...parameters, out });
    if (status !== 'finished') stop(`${out} ${status}`);
  }
  if (planned[place + 1]?.set !== set) await writeResults(set);
}
const better = Object.values(measured).flatMap(({ differences }) => differences);
console.log(
  `evidence: value ${better.filter(({ value, adjustedP }) => value > 0 && adjustedP < 0.05).length} of ${better.length} ` +
    `differences on ${Object.keys(measured).length} of ${sets.length} sets are gains with an adjusted p under .05`,
);

/** Reads the runs of a set, and writes the table and the figure of all sets that have been measured. */
async function writeResults(set) {
  const runs = planned
    .filter((run) => run.set === set && run.labels !== undefined)
    .map(({ out, backbone }) => ({
      out,
      ...resultsIn(join(root, out), { set: set.name, backbone, metric: set.metric }),
    }));
  measured[set.name] = {
    commit: execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], { cwd: root }).toString().trim(),
    runs: runs.map(({ out, run, about }) => ({ out, run, about })),
    values: runs.flatMap(({ values }) => values),
    differences: runs.flatMap(({ differences }) => differences),
  };
  const inOrder = sets.filter(({ name }) => measured[name]);
  // The family is every difference of every set.
  const adjustedOnes = adjusted(inOrder.flatMap(({ name }) => measured[name].differences));
  for (const { name } of inOrder) {
    measured[name].differences = adjustedOnes.filter((difference) => difference.set === name);
  }
  writeCampaignResult('evidence', process.argv.slice(2), {
    about:
      'Means over five fine-tuning seeds, each with labels of other patients, and one pretraining seed; 95 % intervals and ' +
      'p-values over the test patients (groups, tiles), of differences on the same ones; adjusted by Holm over all ' +
      'differences of all sets here. Segmentation is learned and judged at half the resolution of the images',
    sets: Object.fromEntries(inOrder.map(({ name }) => [name, measured[name]])),
  });
  const main = inOrder.flatMap(({ name, title, metric }) =>
    measured[name].values.filter((row) => row.metric === metric).map((row) => ({ ...row, title })),
  );
  writeFileSync(fileURLToPath(new URL('results/evidence.png', import.meta.url)), await learningCurves(main));
  printResults(set, main);
}

function printResults({ name }, main) {
  const range = ({ value, low, high }) =>
    `${value.toFixed(3)}${low === null ? '' : ` (${low.toFixed(3)} to ${high.toFixed(3)})`}`;
  for (const row of main.filter(({ set }) => set === name)) {
    const own = measured[name].differences.filter(
      (each) => each.arm === row.arm && each.backbone === row.backbone && each.labels === row.labels,
    );
    const words = own.map((each) => `${range(each)} over ${each.against}, adjusted p ${each.adjustedP.toPrecision(2)}`);
    console.log(
      `${row.set}, ${row.labels} labelled, ${row.backbone}, ${row.arm}: ${[range(row), ...words].join('; ')}`,
    );
  }
}

function stop(message) {
  console.error(`evidence: ${message}`);
  process.exit(1);
}

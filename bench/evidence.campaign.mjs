// npm run campaign -- evidence [SET ...]: what pretraining buys on small sets of real patches, all or those named. Every
// self-supervised method is trained on the patches of a set's training patients, without their labels; then every network is
// fine-tuned with the labels of few or all of them, each arm with the same budget on the same patients. These are runs of the
// notebooks, in results/evidence; finished ones are taken as they are, so that the command continues after an interrupt.
// Takes hours.
//
//   --patches FOLDER   where the sets are (../shared/data/patches)
//   --plan             only lists the runs, and which are finished
import { existsSync, writeFileSync } from 'node:fs';
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
for (const [place, { notebook, out, parameters }] of planned.entries()) {
  if (done[place]) continue;
  console.log(`${place + 1} of ${planned.length}: ${out}`);
  const { status } = await runNotebook(notebook, { ...parameters, out });
  if (status !== 'finished') stop(`${out} ${status}`);
}

const fineTuned = planned.filter(({ labels }) => labels !== undefined);
const found = fineTuned.map(({ out, set, backbone }) => ({
  out,
  ...resultsIn(join(root, out), { set: set.name, backbone, metric: set.metric }),
}));
const differences = adjusted(found.flatMap((each) => each.differences));
const values = found.flatMap((each) => each.values);
writeCampaignResult('evidence', process.argv.slice(2), {
  about:
    'Means over five fine-tuning seeds, each with labels of other patients, and one pretraining seed; 95 % intervals and ' +
    'p-values over the test patients (groups, tiles), of differences on the same ones; adjusted by Holm over all ' +
    'differences. Segmentation is learned and judged at half the resolution of the images',
  runs: found.map(({ out, run, about }) => ({ out, run, about })),
  values,
  differences,
});
const titles = Object.fromEntries(sets.map(({ name, title }) => [name, title]));
const metrics = Object.fromEntries(sets.map(({ name, metric }) => [name, metric]));
const main = values
  .filter(({ set, metric }) => metric === metrics[set])
  .map((row) => ({ ...row, title: titles[row.set] }));
writeFileSync(fileURLToPath(new URL('results/evidence.png', import.meta.url)), await learningCurves(main));

const range = ({ value, low, high }) =>
  `${value.toFixed(3)}${low === null ? '' : ` (${low.toFixed(3)} to ${high.toFixed(3)})`}`;
for (const row of main) {
  const own = differences.filter(
    (each) => each.arm === row.arm && ['set', 'backbone', 'labels'].every((part) => each[part] === row[part]),
  );
  const words = own.map((each) => `${range(each)} over ${each.against}, adjusted p ${each.adjustedP.toPrecision(2)}`);
  console.log(`${row.set}, ${row.labels} labelled, ${row.backbone}, ${row.arm}: ${[range(row), ...words].join('; ')}`);
}
const better = differences.filter(({ value, adjustedP }) => value > 0 && adjustedP < 0.05).length;
console.log(`evidence: value ${better} of ${differences.length} differences are gains with an adjusted p under .05`);

function stop(message) {
  console.error(`evidence: ${message}`);
  process.exit(1);
}

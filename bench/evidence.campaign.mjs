// npm run campaign -- evidence [SET ...]: what pretraining buys on small sets of real patches, all or those named. Every
// self-supervised method is trained on the patches of a set's training patients, without their labels; then every network is
// fine-tuned with the labels of few or all of them, each arm with the same budget on the same patients. These are runs of the
// notebooks, in results/evidence; finished ones are taken as they are, so that the command continues after an interrupt. The
// results of sets that are not named stay as they are; after each set, table and figure are written. Takes hours (--plan).
//
//   --patches FOLDER   where the sets are (../shared/data/patches)
//   --plan             only lists the runs, which are finished, and about how long the others take on two cores
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fromCSV } from 'arquero';
import { runNotebook } from '../dist/cli/run.js';
import { writeCampaignResult } from './campaign-result.mjs';
import { colorBaseline } from './evidence/color-baseline.mjs';
import { learningCurves } from './evidence/figure.mjs';
import { checkBatches, family, runsOf, sets } from './evidence/plan.mjs';
import { adjusted, isFinished, pretrainingCost, resultsIn, withoutSecondaryP } from './evidence/results.mjs';
import { notesOf, resultsText } from './evidence/texts.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { patches: { type: 'string', default: '../shared/data/patches' }, plan: { type: 'boolean' } },
});
const unknown = positionals.find((name) => !sets.some((set) => set.name === name));
if (unknown !== undefined) stop(`there is no set ${unknown}: ${sets.map(({ name }) => name).join(', ')}`);
const asked = positionals.length > 0 ? sets.filter(({ name }) => positionals.includes(name)) : sets;
for (const set of asked) {
  const path = join(resolve(root, options.patches), set.name, 'index.csv');
  if (!existsSync(path)) stop(`there is no ${path}: say with --patches FOLDER where the sets are`);
  const units = fromCSV(readFileSync(path, 'utf8')).array(set.column);
  const counts = new Map();
  for (const unit of units) counts.set(unit, (counts.get(unit) ?? 0) + 1);
  checkBatches(set, [...counts.values()]);
}

const planned = asked.flatMap((set) => runsOf(set, options.patches));
const done = [];
for (const run of planned) done.push(await isDone(run));
if (options.plan) {
  for (const set of asked) {
    const own = [...planned.keys()].filter((place) => planned[place].set === set);
    for (const place of own) {
      const { out, seconds } = planned[place];
      console.log(`${done[place] ? 'finished    ' : `about ${minutes(seconds).padStart(2)} min`}  ${out}`);
    }
    const left = own.filter((place) => !done[place]).reduce((sum, place) => sum + planned[place].seconds, 0);
    console.log(`${set.name}: about ${minutes(left)} min to do\n`);
  }
  process.exit();
}
const resultsPath = fileURLToPath(new URL('results/evidence.json', import.meta.url));
const measured = existsSync(resultsPath) ? JSON.parse(readFileSync(resultsPath, 'utf8')).sets : {};
for (const [place, run] of planned.entries()) {
  // Asked again: a pretraining before it may have been made anew.
  if (!(await isDone(run))) {
    console.log(`${place + 1} of ${planned.length}: ${run.out}`);
    const { status } = await runNotebook(run.notebook, { ...run.parameters, out: run.out });
    if (status !== 'finished') stop(`${run.out} ${status}`);
  }
  if (planned[place + 1]?.set !== run.set) await writeResults(run.set);
}

async function isDone(run) {
  return isFinished(join(root, run.out), run, root).catch((error) => stop(error.message));
}

/** Reads the runs of a set, and writes the tables and the figure of all sets that have been measured. */
async function writeResults(set) {
  const own = planned.filter((run) => run.set === set);
  const fineTuned = own.filter(({ labels }) => labels !== undefined);
  const found = fineTuned.map(({ out, backbone, rename }) => ({
    out,
    ...resultsIn(join(root, out), { set: set.name, backbone, metric: set.metric, rename }),
  }));
  const colors = [];
  if (set.metric !== 'foregroundDice') {
    // Of every number of labels once.
    const once = fineTuned.filter(({ backbone, rename }) => backbone === 'small_resnet' && !rename);
    for (const run of once) colors.push(...(await colorBaseline(run)));
  }
  measured[set.name] = {
    commit: execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], { cwd: root }).toString().trim(),
    testUnits: found[0].testUnits,
    runs: found.map(({ out, run }) => ({ out, run })),
    pretrainings: own
      .filter(({ arm }) => arm !== undefined)
      .map(({ out, backbone, arm }) => ({ out, backbone, arm, ...pretrainingCost(join(root, out)) })),
    values: [...colors, ...found.flatMap(({ values }) => values)],
    differences: withoutSecondaryP(
      family,
      found.flatMap(({ differences }) => differences),
    ),
  };
  const inOrder = sets.filter(({ name }) => measured[name]).map((set) => ({ set, ...measured[set.name] }));
  const primary = adjusted(
    family,
    inOrder.flatMap(({ differences }) => differences),
  );
  const args = process.argv.slice(2);
  writeCampaignResult('evidence', args, {
    about: notesOf(inOrder),
    primary,
    sets: Object.fromEntries(inOrder.map(({ set }) => [set.name, measured[set.name]])),
  });
  const command = ['npm run campaign -- evidence', ...args].join(' ');
  const text = resultsText(inOrder, primary, command);
  writeFileSync(fileURLToPath(new URL('results/evidence.md', import.meta.url)), text);
  writeFileSync(fileURLToPath(new URL('results/evidence.png', import.meta.url)), await learningCurves(inOrder));
  console.log(text);
  const gains = primary.filter(({ value, adjustedP }) => value > 0 && adjustedP < 0.05).length;
  console.log(
    `evidence: value ${gains} of ${family.length} comparisons named beforehand are gains with an adjusted p under .05; ` +
      `${primary.filter(({ isMeasured }) => isMeasured).length} of them are measured`,
  );
}

function minutes(seconds) {
  return String(Math.round(seconds / 60));
}

function stop(message) {
  console.error(`evidence: ${message}`);
  process.exit(1);
}

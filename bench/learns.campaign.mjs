// npm run campaign -- learns [NOTEBOOK ...]: what the pretraining notebooks train at demo scale, all or those named (as 11,
// 12), with five seeds that no setting was chosen on, to show that what a page shows is not one seed's luck. Takes about
// as long as five demo runs of each. The results of notebooks that are not named stay as they are.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { disposeTensors } from '../dist/engine/index.js';
import { pretrainExperiment, pretrainingData } from '../dist/experiments/index.js';
import { pretrain } from '../dist/pretrain/index.js';
import { compareWithBaselines } from '../dist/report/index.js';
import { writeCampaignResult } from './campaign-result.mjs';

const seeds = [101, 102, 103, 104, 105];
const notebooks = {
  10: '10-pretrain-supervised',
  11: '11-pretrain-simclr',
  12: '12-pretrain-mocov2',
  13: '13-pretrain-byol',
  14: '14-pretrain-dino',
  15: '15-pretrain-mae',
};
/** The largest standard deviation over the seeds, percentage points. */
const maxDeviation = 6;

const asked = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(notebooks);
if (!asked.every((number) => Object.hasOwn(notebooks, number))) {
  console.error(`npm run campaign -- learns [NOTEBOOK ...]: notebooks are ${Object.keys(notebooks).join(', ')}`);
  process.exit(1);
}

const root = fileURLToPath(new URL('../', import.meta.url));
const commit = execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], { cwd: root }).toString().trim();
const resultsPath = fileURLToPath(new URL('results/learns.json', import.meta.url));
const methods = existsSync(resultsPath) ? JSON.parse(readFileSync(resultsPath, 'utf8')).methods : {};

const percent = (value) => Math.round(1000 * value) / 10;
const range = (interval) => interval && [interval.low, interval.high].map(percent);
const shown = ({ value, interval }) => `${value.toFixed(1)} [${interval?.map((end) => end.toFixed(1)).join(', ')}]`;

async function learn(notebook, seed) {
  const experiment = pretrainExperiment(notebook, { scale: 'demo', seed });
  const data = await pretrainingData(experiment);
  const losses = [];
  const began = Date.now();
  const trained = await pretrain(experiment.method, {
    settings: experiment.settings,
    batches: data.train,
    onEvent: (event) => void (event.kind === 'step' && losses.push(event.loss)),
  });
  const seconds = Math.round((Date.now() - began) / 1000);
  const { accuracies, gains, groups } = await compareWithBaselines(experiment, data, trained);
  disposeTensors(trained.model.parameters, trained.model.state);
  const [pretrained, random, color] = accuracies.map(({ value, interval }) => ({
    value: percent(value),
    interval: range(interval),
  }));
  const [overRandom, overColor] = gains.map(({ value, interval }) => ({
    value: percent(value),
    interval: range(interval),
  }));
  return {
    ...{ seed, pretrained, random, color, overRandom, overColor, seconds },
    groups: `${groups.count} ${groups.of}`,
    losses: [losses.at(0), losses.at(-1)],
    better: [overRandom, overColor].every(({ interval }) => interval !== null && interval[0] > 0),
  };
}

let held = 0;
for (const number of asked) {
  const notebook = notebooks[number];
  const rows = [];
  for (const seed of seeds) {
    const row = await learn(notebook, seed);
    rows.push(row);
    console.log(
      `${notebook}, seed ${seed}: kNN ${shown(row.pretrained)} %, random ${row.random.value}, color ${row.color.value}; ` +
        `points over random ${shown(row.overRandom)}, over color ${shown(row.overColor)}; ${row.seconds} s`,
    );
  }
  const values = rows.map(({ pretrained }) => pretrained.value);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (values.length - 1));
  const holds = deviation <= maxDeviation && rows.every(({ better }) => better);
  if (holds) held++;
  methods[notebook] = { commit, mean, deviation, holds, rows };
  console.log(
    `${notebook}: mean ${mean.toFixed(1)} %, deviation ${deviation.toFixed(1)}; ${holds ? 'holds' : 'MISSED'}`,
  );
  writeCampaignResult('learns', asked, {
    about:
      `kNN accuracy in % on held-out synthetic slides after pretraining at demo scale, with intervals of 95 % by patient. ` +
      `A method holds where the standard deviation over seeds is at most ${maxDeviation} points and every seed is better ` +
      'than random initialization and a color histogram, with the whole interval of the paired difference',
    methods: Object.fromEntries(Object.entries(methods).sort(([one], [other]) => one.localeCompare(other))),
  });
}
console.log(`learns: value ${held} of ${asked.length} methods hold`);
process.exitCode = held === asked.length ? 0 : 1;

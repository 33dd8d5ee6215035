// npm run campaign -- setup-kills [SEED]: five fresh copies of the project, in each set-up killed at a random moment and
// run again. Takes about eight times as long as one cold set-up.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { key } from '../dist/base/index.js';
import { copyProject } from './project-copy.mjs';
import { examineSetUp, finishSetUp, killSetUp } from './setup-kills.mjs';

const trials = 5;
const seed = process.argv[2] ?? 'setup-kills';
const random = key(seed).generator();

function inCopy(work) {
  const folder = copyProject();
  return Promise.resolve(work(folder)).finally(() => rmSync(folder, { recursive: true, force: true }));
}

const cold = await inCopy((folder) => {
  const run = finishSetUp(folder);
  if (run.status !== 0) throw new Error(`set-up does not end well even when nobody kills it:\n${run.output}`);
  return run.seconds;
});
console.log(`cold set-up: ${cold.toFixed(1)} s`);

/** One kill in a fresh copy. A set-up that was done by then, on a machine less busy than before, is killed earlier. */
async function killedAt(trial, moment) {
  const result = await inCopy(async (folder) => {
    const { killed, lastLine } = await killSetUp(folder, moment);
    if (!killed) return undefined;
    const rerun = finishSetUp(folder);
    const examination = examineSetUp(folder);
    const endsWell = rerun.status === 0 && examination.well;
    if (!endsWell) console.error(rerun.output + examination.output);
    console.log(
      `${trial}: killed at ${moment.toFixed(1)} s (${lastLine}); ` +
        `run again ${rerun.seconds.toFixed(1)} s: ${endsWell ? 'ends well' : 'ENDS BADLY'}`,
    );
    return { killedAtSeconds: moment, lastLine, rerunSeconds: rerun.seconds, endsWell };
  });
  return result ?? killedAt(trial, 0.7 * moment);
}

const results = [];
for (let trial = 1; trial <= trials; trial++) {
  // One kill in each fifth of the time, so that every part of set-up is hit.
  const moment = ((trial - random.uniform()) / trials) * cold;
  results.push(await killedAt(trial, moment));
}

const well = results.filter((result) => result.endsWell).length;
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
writeFileSync(
  new URL('./results/setup-kills.json', import.meta.url),
  `${JSON.stringify(
    {
      command: `npm run campaign -- setup-kills ${seed}`,
      date: new Date().toISOString(),
      node: process.version,
      cpu: `${cpus()[0]?.model}, ${cpus().length} cores`,
      coldSeconds: cold,
      trials: results,
    },
    null,
    2,
  )}\n`,
);
console.log(`setup-kills: value ${well} of ${trials} kills end well`);
process.exitCode = well === trials ? 0 : 1;

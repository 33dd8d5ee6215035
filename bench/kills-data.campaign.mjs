<<<<<<< HEAD

// npm run campaign -- kills-data [SEED]: fetch killed at random moments and run again; what is there afterwards must
// equal, byte for byte, what an undisturbed run leaves.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fetchKills } from './fetch-kills.mjs';

const seed = process.argv[2] ?? 'kills-data';

/** Each half takes a number of kills and a seed, and gives a result a kill, whose `faults` are empty when all is well. */
const halves = [{ name: 'fetch', kills: 30, run: fetchKills }];

const results = {};
for (const { name, kills, run } of halves) {
  let number = 0;
  results[name] = await run({
    kills,
    seed: `${seed} ${name}`,
    onKill: ({ killedAtSeconds, faults }) => {
      const outcome = faults.length === 0 ? 'ends well' : `ENDS BADLY: ${faults.join('; ')}`;
      console.log(`${name} ${++number} of ${kills}: killed at ${killedAtSeconds.toFixed(2)} s: ${outcome}`);
    },
  });
}

const all = Object.values(results).flat();
const well = all.filter(({ faults }) => faults.length === 0).length;
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
writeFileSync(
  new URL('./results/kills-data.json', import.meta.url),
  `${JSON.stringify(
    {
      command: `npm run campaign -- kills-data ${seed}`,
      date: new Date().toISOString(),
      node: process.version,
      cpu: `${cpus()[0]?.model}, ${cpus().length} cores`,
      kills: results,
    },
    null,
    2,
  )}\n`,
);
console.log(`kills-data: value ${well} of ${all.length} kills end well`);
process.exitCode = well === all.length ? 0 : 1;
=======

// npm run campaign -- kills-data [SEED]: compiling is killed thirty times at random moments, by SIGKILL, and run again. What
// it leaves must be, byte for byte, what an undisturbed run leaves, and nothing half-written may bear a whole file's name.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { key } from '../dist/index.js';
import { prepareCompile } from './kills-data/compile.mjs';

const kills = 30;
const seed = process.argv[2] ?? 'kills-data';
const rows = [];
for (const [part, prepare] of Object.entries({ compile: () => prepareCompile(6) })) {
  const trials = await prepare();
  try {
    for (let trial = 1; trial <= kills; trial++) {
      const result = await trials.run(key(seed).fold(part).fold(trial).generator());
      rows.push({ part, trial, ...result });
      const { faults, ...facts } = result;
      console.log(
        `${part} ${trial}: ${JSON.stringify(facts)}: ${faults.length === 0 ? 'the same' : faults.join('; ')}`,
      );
    }
  } finally {
    trials.close();
  }
}

const good = rows.filter(({ faults }) => faults.length === 0).length;
const path = new URL('./results/kills-data.json', import.meta.url);
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
const content = {
  command: `npm run campaign -- kills-data ${seed}`,
  date: new Date().toISOString(),
  node: process.version,
  cpu: `${cpus()[0]?.model}, ${cpus().length} cores`,
  trials: rows,
};
writeFileSync(new URL(`${path}.partial`), `${JSON.stringify(content, null, 2)}\n`);
renameSync(new URL(`${path}.partial`), path);
console.log(`kills-data: value ${good} of ${rows.length} kills leave what an undisturbed run leaves`);
process.exitCode = good === rows.length ? 0 : 1;
>>>>>>> 841cb47 (Kills of compile measured: claims and unfinished files of a killed process are taken away by the next run)

// npm run campaign -- kills-data [SEED]: compile and fetch killed at random moments and run again; what is there afterwards must
// equal, byte for byte, what an undisturbed run leaves.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fetchKills } from './fetch-kills.mjs';
import { compileKills } from './kills-data/compile.mjs';

const seed = process.argv[2] ?? 'kills-data';

/** Each half takes a number of kills and a seed, and gives a result a kill, whose `faults` are empty when all is well. */
const halves = [
  { name: 'compile', kills: 30, run: compileKills },
  { name: 'fetch', kills: 30, run: fetchKills },
];

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

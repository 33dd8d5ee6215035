// A worker of launch.test.ts. Arguments: a folder, where it leaves a file with what it was started with, and what it does:
// `end`, `fail` (the second one, at the first start; the others wait), `interrupt` (ends well when interrupted), `wait`.
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { endWithLauncher } from '../../dist/training/end-with-launcher.js';

const [folder, does] = process.argv.slice(2);
const { RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, PATHLAB_JOB, PATHLAB_LAUNCHER, PATHLAB_RESTART } =
  process.env;
endWithLauncher(Number(PATHLAB_LAUNCHER));
if (does === 'interrupt') process.on('SIGINT', () => process.exit(0));
const started = {
  rank: RANK,
  local: LOCAL_RANK,
  count: WORLD_SIZE,
  host: MASTER_ADDR,
  port: MASTER_PORT,
  job: PATHLAB_JOB,
};
console.log(`worker ${RANK}`);
const file = join(folder, `${PATHLAB_RESTART}-${RANK}.json`);
// Whole or not at all: the test looks while workers run.
writeFileSync(`${file}.part`, JSON.stringify({ ...started, pid: process.pid }));
renameSync(`${file}.part`, file);

const isFirstStart = PATHLAB_RESTART === '0';
if (does === 'fail' && isFirstStart && RANK === '1') {
  // The first one has told of itself by then.
  while (!existsSync(join(folder, '0-0.json'))) await setTimeout(20);
  console.error('the disk is broken');
  process.exit(3);
}
if ((does === 'fail' && isFirstStart) || does === 'interrupt' || does === 'wait') setInterval(() => {}, 1000);

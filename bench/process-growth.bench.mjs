// SimCLR steps of a small network by 1, 2, 4 and 8 processes of this machine that divide one batch, however few cores there are.
// It shows what communication costs: in turns with the steps, the same processes take steps in which each waits for nobody and
// computes the same. There is no peer.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ProcessGroup } from './process-group.mjs';
import { reportValue } from './report.mjs';
import { median } from './worker.mjs';

const quick = process.argv.includes('--quick');
const plan = { warmup: quick ? 1 : 2, rounds: quick ? 2 : 7, steps: quick ? 1 : 3 };
const counts = [1, 2, 4, 8];
const work = {
  ...{ depth: 18, batch: 64, size: 64, hiddenSize: 512, outputSize: 128 },
  ...{ temperature: 0.1, learningRate: 0.01, precision: 'float32' },
};
const program = fileURLToPath(new URL('data-parallel/ours.mjs', import.meta.url));

/** The ms of a step in a turn, until the last process is done with all of them. */
const stepOf = (answers) =>
  Math.max(...answers.map(({ times }) => times.reduce((sum, ms) => sum + ms, 0))) / answers[0].times.length;

async function measure(count) {
  const group = await ProcessGroup.start('pathlab', [process.execPath, program, JSON.stringify(work)], count);
  const times = { joined: [], alone: [] };
  const take = (kind, steps) => group.run({ steps, alone: kind === 'alone' });
  for (const kind of Object.keys(times)) await take(kind, plan.warmup);
  let answers;
  for (let round = 0; round < plan.rounds; round++) {
    for (const kind of Object.keys(times)) {
      answers = await take(kind, plan.steps);
      times[kind].push(stepOf(answers));
    }
  }
  await group.end();
  const [ms, aloneMs] = [median(times.joined), median(times.alone)];
  const [{ summedBytes, gatheredBytes, collectives }] = answers;
  const share = count === 1 ? 0 : 1 - aloneMs / ms;
  console.error(`${count} processes: ${ms.toFixed(0)} ms, without communication ${aloneMs.toFixed(0)} ms`);
  return {
    ...{ processes: count, ms, aloneMs, imagesPerSecond: (1000 * work.batch) / ms, communicationShare: share },
    ...{ shown: `${(100 * share).toFixed(0)} %`, megabytes: (summedBytes / 1e6).toFixed(1), collectives },
    ...{ summedBytes, gatheredBytes, times },
  };
}

const rows = [];
for (const count of counts) rows.push(await measure(count));

reportValue('process-growth', {
  work:
    `SimCLR step, ResNet-${work.depth}, ${work.batch} images of ${work.size} px in all, on ${availableParallelism()} cores; ` +
    'the value is the share of communication in a step of eight processes',
  machine: { cpu: cpus()[0].model.trim(), threads: availableParallelism() },
  columns: {
    ...{ processes: 'processes', ms: 'median step, ms', aloneMs: 'without communication, ms', shown: 'communication' },
    ...{ megabytes: 'MB summed a step', collectives: 'collectives a step' },
  },
  rows,
  value: 100 * rows.at(-1).communicationShare,
  unit: '%',
  quick,
});

// npm run campaign -- determinism: is the same training the same again, bit by bit? Several shapes, precisions and
// numbers of threads, each three times in processes that run at once and so disturb each other's threads.
import { writeCampaignResult } from './campaign-result.mjs';
import { runProbe } from './training-probe/run.mjs';

const times = 3;
const shapes = [
  { batch: 8, side: 32, width: 0.25 },
  { batch: 5, side: 33, width: 0.5 },
  { batch: 16, side: 64, width: 0.25 },
];
const threads = [
  [1, 1],
  [2, 1],
  [2, 2],
  [4, 4],
];

const rows = [];
let versions;
for (const shape of shapes) {
  for (const precision of ['float32', 'bfloat16']) {
    for (const [intraOp, interOp] of threads) {
      const settings = { ...shape, precision, steps: 8, optimizer: 'adamw' };
      const environment = { TF_NUM_INTRAOP_THREADS: String(intraOp), TF_NUM_INTEROP_THREADS: String(interOp) };
      const runs = await Promise.all(Array.from({ length: times }, () => runProbe(settings, environment)));
      const hashes = runs.map(({ hash }) => hash);
      versions = {
        tensorflow: runs[0].device.tensorflow,
        cpu: runs[0].device.cpu,
        customOps: runs[0].device.customOps,
      };
      const same = new Set(hashes).size === 1;
      rows.push({ ...shape, precision, intraOp, interOp, same, hash: hashes[0].slice(0, 16) });
      console.log(
        `batch ${shape.batch}, ${shape.side} px, width ${shape.width}, ${precision}, threads ${intraOp}/${interOp}: ` +
          `${same ? 'the same bits' : 'DIFFERENT BITS'} in ${times} runs (${hashes[0].slice(0, 8)})`,
      );
    }
  }
}

const same = rows.filter((row) => row.same).length;
/** Whether the number of threads alone changes the bits. */
const byThreads = shapes.flatMap((shape) =>
  ['float32', 'bfloat16'].map((precision) => {
    const own = rows.filter((row) => row.precision === precision && row.side === shape.side);
    return { ...shape, precision, differentHashes: new Set(own.map(({ hash }) => hash)).size, of: own.length };
  }),
);
writeCampaignResult('determinism', [], {
  about: `training of 8 steps, ${times} runs each, at once; the hash is of all weights, statistics and optimizer state`,
  versions,
  rows,
  byThreads,
});
console.log(`determinism: value ${same} of ${rows.length} settings give the same bits`);
process.exitCode = same === rows.length ? 0 : 1;

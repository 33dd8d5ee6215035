// The sum of a float32 tensor over processes of this machine: pathlab's, as training calls it in its compiled step, and that of
// PyTorch's gloo, in turns. All processes begin at one time of the machine's clock; what counts is when the last one is done.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { peerPython } from './peer-environment.mjs';
import { ProcessGroup, threadsOfEach } from './process-group.mjs';
import { report } from './report.mjs';
import { median } from './worker.mjs';

const quick = process.argv.includes('--quick');
const rounds = quick ? 3 : 11;
const counts = [2, 4];
const sizes = [25, 100, 400]; // MB
/** From the question to the beginning, ms: enough for every process to have read it. */
const notice = 50;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('torch');
const clock = () => Number(process.hrtime.bigint()) / 1e6;

async function sum(group, { side, megabytes }) {
  const at = clock() + notice;
  const answers = await group.run({ at });
  const wrong = answers.reduce((total, answer) => total + answer.wrong, 0);
  if (wrong > 0) throw new Error(`${side}: ${wrong} elements of the sums of ${megabytes} MB are wrong`);
  return {
    ms: Math.max(...answers.map(({ end }) => end)) - at,
    peakMiB: Math.max(...answers.map(({ peakMiB }) => peakMiB)),
  };
}

const rows = [];
const ratios = {};
const versions = {};
for (const count of counts) {
  const threads = threadsOfEach(count);
  const groups = {
    pathlab: await ProcessGroup.start('pathlab', [process.execPath, here('allreduce/ours.mjs')], count),
    gloo: await ProcessGroup.start('gloo', [python, here('peers/torch_allreduce.py'), `${threads}`], count, {
      GLOO_SOCKET_IFNAME: 'lo',
    }),
  };
  const sides = Object.keys(groups);
  for (const megabytes of sizes) {
    const times = Object.fromEntries(sides.map((side) => [side, []]));
    const peaks = {};
    for (const side of sides) {
      const [{ version }] = await groups[side].run({ elements: (megabytes * 1e6) / 4 });
      versions[side] = version;
      await sum(groups[side], { side, megabytes });
    }
    for (let round = 0; round < rounds; round++) {
      for (const side of sides) {
        const { ms, peakMiB } = await sum(groups[side], { side, megabytes });
        times[side].push(ms);
        peaks[side] = peakMiB;
      }
    }
    for (const side of sides) {
      const ms = median(times[side]);
      // What each process sends in a ring, over the time.
      const gigabytesPerSecond = (2 * (count - 1) * megabytes) / count / ms;
      rows.push({
        ...{ processes: count, megabytes, side, ms, shown: ms.toFixed(1), gigabytesPerSecond },
        ...{ rate: gigabytesPerSecond.toFixed(2), peakMiB: peaks[side], times: times[side] },
      });
    }
    ratios[`${count} processes, ${megabytes} MB`] = median(times.gloo) / median(times.pathlab);
    console.error(
      `${count} processes, ${megabytes} MB: ${sides.map((side) => median(times[side]).toFixed(1)).join(' and ')} ms`,
    );
  }
  for (const group of Object.values(groups)) await group.end();
}

report('allreduce', {
  work: 'sum of a float32 tensor over processes on one machine, from a common start to the last one done',
  machine: { cpu: cpus()[0].model.trim(), threads: availableParallelism() },
  versions,
  columns: {
    ...{ processes: 'processes', megabytes: 'MB', side: 'side', shown: 'median, ms', rate: 'GB/s sent by each' },
    peakMiB: 'peak memory of one, MiB',
  },
  rows,
  ratios,
  quick,
});

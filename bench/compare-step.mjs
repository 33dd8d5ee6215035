// A training step in pathlab and in PyTorch, in each precision. Every way to run it in PyTorch is timed; the fastest then
// runs in turns with pathlab, so that both see the same machine, and the ratio is that of their medians.
import { availableParallelism, cpus } from 'node:os';
import { report } from './report.mjs';
import { median, Worker } from './worker.mjs';

/**
 * @param {object} benchmark
 * @param {string} benchmark.name the benchmark's
 * @param {string} benchmark.work what a step does
 * @param {(precision: string) => string[]} benchmark.ours the command that runs pathlab's
 * @param {(precision: string, variant: string[], threads: number) => string[]} benchmark.peer the command that runs PyTorch's
 * @param {string[][]} benchmark.variants the ways to run it in PyTorch
 * @param {string[]} [benchmark.precisions]
 */
export async function compareStep({ name, work, ours, peer, variants, precisions = ['float32', 'bfloat16'] }) {
  const threads = availableParallelism();
  const quick = process.argv.includes('--quick');
  const survey = { warmup: 2, steps: quick ? 2 : 5 };
  const plan = { rounds: quick ? 2 : 6, steps: quick ? 2 : 4 };
  const startOurs = (precision) => new Worker(`pathlab ${precision}`, ours(precision));
  const startPeer = (precision, variant) =>
    new Worker(`PyTorch ${precision} ${variant.join(' ')}`, peer(precision, variant, threads));

  const rows = [];
  const ratios = {};
  const versions = {};
  for (const precision of precisions) {
    const surveyed = [];
    for (const variant of variants) {
      const worker = startPeer(precision, variant);
      const [first] = (await worker.run(survey.warmup)).times;
      const { times, peakMiB, version } = await worker.run(survey.steps);
      await worker.end();
      versions.pytorch = version;
      surveyed.push({ variant, ms: median(times), peakMiB, firstStepMs: first });
      console.error(`PyTorch ${precision} ${variant.join(' ')}: ${median(times).toFixed(0)} ms`);
    }
    const best = surveyed.reduce((one, other) => (other.ms < one.ms ? other : one));

    const [mine, theirs] = [startOurs(precision), startPeer(precision, best.variant)];
    const [firstStepMs] = (await mine.run(survey.warmup)).times;
    await theirs.run(survey.warmup);
    const all = { mine: [], theirs: [] };
    let last;
    for (let round = 0; round < plan.rounds; round++) {
      last = { mine: await mine.run(plan.steps), theirs: await theirs.run(plan.steps) };
      all.mine.push(...last.mine.times);
      all.theirs.push(...last.theirs.times);
    }
    await Promise.all([mine.end(), theirs.end()]);
    versions.pathlab = last.mine.version;
    ratios[precision] = median(all.theirs) / median(all.mine);

    const row = (side, ms, peakMiB, firstStepMs, times) => ({ precision, side, ms, peakMiB, firstStepMs, times });
    const bestName = best.variant.join(' ');
    rows.push(row('pathlab, compiled', median(all.mine), last.mine.peakMiB, firstStepMs, all.mine));
    rows.push(
      row(`PyTorch ${bestName}, in turns`, median(all.theirs), last.theirs.peakMiB, best.firstStepMs, all.theirs),
    );
    for (const { variant, ms, peakMiB, firstStepMs } of surveyed) {
      rows.push(row(`PyTorch ${variant.join(' ')}`, ms, peakMiB, firstStepMs));
    }
  }

  report(name, {
    work,
    machine: { cpu: cpus()[0].model.trim(), threads },
    versions,
    columns: {
      precision: 'precision',
      side: 'side',
      ms: 'median step, ms',
      peakMiB: 'peak memory, MiB',
      firstStepMs: 'first step, ms',
    },
    rows,
    ratios,
    quick,
  });
}

// npm run campaign -- leaks [STEPS]: does a long training keep its memory? 1,000 steps by default, in float32 and
// bfloat16: the number of tensors is constant, and the memory in use (resident, after collecting garbage, less the free
// pages that malloc keeps) grows by less than 1 % after step 50. A third run shows all that is resident: malloc's free
// pages go up and down by some percent with it.
import { writeCampaignResult } from './campaign-result.mjs';
import { growth, runProbe } from './training-probe/run.mjs';

const steps = Number(process.argv[2] ?? 1000);
if (!(Number.isInteger(steps) && steps >= 100)) {
  console.error('npm run campaign -- leaks [STEPS]: at least 100 steps');
  process.exit(1);
}
const largest = 0.01;
const rows = [];
for (const [precision, optimizer, watch] of [
  ['float32', 'adamw', 'in use'],
  ['bfloat16', 'lars', 'in use'],
  ['float32', 'adamw', 'resident'],
]) {
  const settings = { steps, batch: 16, side: 48, width: 0.5, precision, optimizer, watch };
  const { seen, device, lastLoss } = await runProbe(settings);
  // At the last step no batch is made ahead.
  const counts = (numbers) => [...new Set(numbers.slice(0, -1))];
  const grown = growth(seen, 50);
  const row = {
    precision,
    optimizer,
    memory: watch,
    steps,
    lastLoss,
    tensors: counts(seen.tensors),
    nativeTensors: counts(seen.native),
    growth: grown,
    megabytes: Object.fromEntries(
      seen.steps
        .map((step, place) => [step, Math.round(seen.megabytes[place] * 10) / 10])
        .filter(([step]) => step % 50 === 0),
    ),
    device: device.name,
    threads: device.threads,
  };
  row.bound = watch === 'resident' ? undefined : largest;
  row.well = row.tensors.length === 1 && row.nativeTensors.length === 1 && !(grown >= row.bound);
  rows.push(row);
  console.log(
    `${precision}, ${optimizer}: ${row.tensors.join(', ')} tensors (${row.nativeTensors.join(', ')} native) in ${steps} ` +
      `steps; memory ${watch} grows by ${(100 * grown).toFixed(2)} % after step 50, to ${seen.megabytes.at(-1).toFixed(0)} MB`,
  );
}
const well = rows.filter((row) => row.well).length;
writeCampaignResult('leaks', [steps], {
  about:
    'MB; growth is that of the median of the last tenth over the first tenth after step 50. A row is well if its ' +
    'tensors are constant and its growth is below its bound, where it has one',
  wellRows: `${well} of ${rows.length}`,
  rows,
});
console.log(`leaks: value ${well} of ${rows.length} trainings keep their memory`);
process.exitCode = well === rows.length ? 0 : 1;

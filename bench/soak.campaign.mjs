// npm run campaign -- soak [MINUTES]: MoCo v2 at demo scale for an hour by default, with its queue, monitors, checkpoints and
// log. The number of tensors stays constant, and the memory in use (resident, after collecting garbage, less the free
// pages that malloc keeps) grows by less than 1 % after the first tenth.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { writeCampaignResult } from './campaign-result.mjs';
import { growth } from './training-probe/run.mjs';

const minutes = Number(process.argv[2] ?? 60);
if (!(minutes >= 1)) {
  console.error('npm run campaign -- soak [MINUTES]: at least one minute');
  process.exit(1);
}
const maxGrowth = 0.01;
const program = fileURLToPath(new URL('demo-run.mjs', import.meta.url));
const run = mkdtempSync(join(tmpdir(), 'soak-'));
try {
  const options = {
    notebook: '12-pretrain-mocov2',
    scale: 'demo',
    steps: 1_000_000,
    run,
    checkpointEvery: 120,
    watch: 40,
  };
  const child = spawn(process.execPath, ['--expose-gc', program, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const seen = { steps: [], megabytes: [], tensors: [], native: [] };
  let [began, last] = [0, 0];
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    const { kind, step, megabytes, tensors, native } = JSON.parse(line);
    if (kind === 'step') last = step;
    if (kind === 'step' && !began) {
      began = Date.now();
      setTimeout(() => child.kill('SIGINT'), minutes * 60_000);
    }
    if (megabytes === undefined) continue;
    seen.steps.push(step);
    seen.megabytes.push(megabytes);
    seen.tensors.push(tensors);
    seen.native.push(native);
    if (seen.steps.length % 50 === 0) console.log(`step ${step}: ${megabytes.toFixed(0)} MB, ${native} tensors`);
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`the training ended with ${code}`);
  const grown = growth(seen, last / 10);
  const tensors = [...new Set(seen.native.slice(1))];
  const well = grown < maxGrowth && tensors.length === 1;
  writeCampaignResult('soak', [minutes], {
    about:
      'MB in use; growth is that of the median of the last tenth of what was seen over the first, after a tenth of the steps',
    ...{ minutes, steps: last, growth: grown, tensors, well },
    megabytes: Object.fromEntries(seen.steps.map((step, at) => [step, Math.round(10 * seen.megabytes[at]) / 10])),
  });
  console.log(
    `soak: value ${(100 * grown).toFixed(2)} % growth in ${minutes} min, ${last} steps, ${tensors.join(', ')} tensors`,
  );
  process.exitCode = well ? 0 : 1;
} finally {
  rmSync(run, { recursive: true, force: true });
}

// npm run campaign -- simclr-seeds [SEED ...]: notebook 11 at demo scale with seeds that no setting was chosen on, to
// show that what one page shows is not one seed's luck. Takes about as many demo runs as there are seeds.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const { readEvents, runFolderFor } = await import('../dist/runs/index.js');
const seeds = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [101, 102, 103, 104, 105];
if (!seeds.every(Number.isSafeInteger)) {
  console.error('npm run campaign -- simclr-seeds [SEED ...]: seeds are whole numbers');
  process.exit(1);
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const rows = [];
for (const seed of seeds) {
  const words = ['run', '11-pretrain-simclr', '-p', 'scale', 'demo', '-p', 'seed', String(seed)];
  const began = Date.now();
  const { status } = spawnSync(process.execPath, [join(root, 'kernel-setup', 'pathlab.mjs'), ...words], {
    cwd: root,
    stdio: 'inherit',
  });
  const folder = runFolderFor('11-pretrain-simclr', { scale: 'demo', seed });
  if (status !== 0 || !existsSync(join(folder, 'metrics.json'))) {
    console.error(`seed ${seed}: the notebook ended with status ${status}; see ${folder}`);
    process.exit(1);
  }
  const { metrics } = JSON.parse(readFileSync(join(folder, 'metrics.json'), 'utf8'));
  const measured = (name) => {
    const { value, interval } = metrics.find((metric) => metric.name === `kNN accuracy, ${name}`);
    return { value, interval };
  };
  const losses = [];
  for await (const { loss } of readEvents(join(folder, 'events.jsonl'), { kind: 'step' })) losses.push(loss);
  const [pretrained, random, color] = ['SimCLR pretrained', 'random initialization', 'color histogram'].map(measured);
  const row = {
    seed,
    firstLosses: mean(losses.slice(0, 10)),
    lastLosses: mean(losses.slice(-10)),
    pretrained,
    random,
    color,
    lossFalls: mean(losses.slice(-10)) < mean(losses.slice(0, 10)),
    disjoint: pretrained.interval[0] > random.interval[1],
    seconds: (Date.now() - began) / 1000,
  };
  rows.push(row);
  const shown = ({ value, interval }) => `${value.toFixed(1)} [${interval.map((end) => end.toFixed(1)).join(', ')}]`;
  console.log(
    `seed ${seed}: loss ${row.firstLosses.toFixed(2)} to ${row.lastLosses.toFixed(2)}; kNN accuracy, %: ` +
      `pretrained ${shown(pretrained)}, random ${shown(random)}, color ${shown(color)}`,
  );
}

const good = rows.filter((row) => row.lossFalls && row.disjoint).length;
const results = fileURLToPath(new URL('./results/', import.meta.url));
mkdirSync(results, { recursive: true });
const content = {
  command: `npm run campaign -- simclr-seeds ${seeds.join(' ')}`,
  date: new Date().toISOString(),
  node: process.version,
  cpu: `${cpus()[0]?.model}, ${cpus().length} cores`,
  about:
    'kNN accuracy in % on held-out synthetic slides, 95 % percentile bootstrap over slides; mean loss of the first and the last 10 steps',
  rows,
};
writeFileSync(join(results, 'simclr-seeds.json.partial'), `${JSON.stringify(content, null, 2)}\n`);
renameSync(join(results, 'simclr-seeds.json.partial'), join(results, 'simclr-seeds.json'));
console.log(`simclr-seeds: value ${good} of ${rows.length} seeds learn`);
process.exitCode = good === rows.length ? 0 : 1;

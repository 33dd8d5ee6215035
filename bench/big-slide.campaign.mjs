// npm run campaign -- big-slide [WIDTH HEIGHT]: what compiling a huge slide takes in memory. A slide of 100,000 x 80,000 px
// at 0.25 um/px is made sparsely and compiled by `pathlab compile` at the paper's settings (512 px of 200 um, 500 patches),
// while the memory of the whole tree of processes is looked at some times a second. The bound is 1 GiB.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readDefinition } from '../dist/datasets/index.js';
import { writeBigSlide } from './big-slide/make-slide.mjs';
import { highestOf, memoryOf, treeOf } from './big-slide/tree-memory.mjs';
import { writeCampaignResult } from './campaign-result.mjs';

const args = process.argv.slice(2);
const [width, height] = args.length === 2 ? args.map(Number) : [100_000, 80_000];
if (process.platform !== 'linux' || ![0, 2].includes(args.length) || !(width >= 2000 && height >= 2000)) {
  console.error('npm run campaign -- big-slide [WIDTH HEIGHT]: on Linux, at least 2000 x 2000 px');
  process.exit(1);
}
const bound = 1024;
const folder = mkdtempSync(join(tmpdir(), 'pathlab-big-'));
try {
  const path = await writeBigSlide(folder, width, height);
  writeFileSync(join(folder, 'slides.csv'), `id,path,mpp\nbig,${path.slice(folder.length + 1)},0.25\n`);
  const source = { kind: 'slides', table: 'slides.csv', folder: '.', columns: { id: 'id', path: 'path', mpp: 'mpp' } };
  const definition = {
    ...readDefinition('ptcga200'),
    name: 'big',
    source,
    synthetic: true,
    exclusions: [],
    minimumBytes: 0,
  };
  writeFileSync(join(folder, 'big.json'), JSON.stringify({ ...definition, labels: { from: 'none' } }));

  const program = fileURLToPath(new URL('../kernel-setup/pathlab.mjs', import.meta.url));
  const words = [
    'compile',
    join(folder, 'big.json'),
    '--data',
    join(folder, 'data'),
    '--source',
    join(folder, 'source'),
  ];
  const began = performance.now();
  const compiling = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  compiling.stdout.on('data', (text) => {
    said += text;
  });
  const ended = once(compiling, 'close');
  let peak = { total: 0 };
  const highest = new Map();
  let looks = 0;
  while (compiling.exitCode === null && compiling.signalCode === null) {
    const tree = treeOf(compiling.pid);
    const memory = memoryOf(tree);
    if (memory.total > peak.total) peak = memory;
    for (const [place, bytes] of highestOf(tree).entries()) {
      highest.set(tree[place], Math.max(bytes, highest.get(tree[place]) ?? 0));
    }
    looks++;
    await sleep(50);
  }
  await ended;
  const seconds = (performance.now() - began) / 1000;
  if (compiling.exitCode !== 0) throw new Error(`pathlab compile ended with ${compiling.exitCode}`);
  const report = JSON.parse(readFileSync(join(said.trim().split('\n').at(-1), 'report.json'), 'utf8'));
  const mebibytes = (bytes) => Math.round(bytes / 2 ** 20);
  const value = mebibytes(peak.total);
  writeCampaignResult('big-slide', args, {
    about:
      'peakMiB: the most that the tree of processes held at a time, as the sum of proportional set sizes (PSS) and of ' +
      "nameless files in memory, in so many looks; sumOfHighestMiB: each process's own most resident (VmHWM) at " +
      'whatever time, pages that they share counted in each',
    slide: { width, height, umPerPixel: 0.25, readFromLevel: report.slides[0].level },
    patches: report.counts.patches,
    passed: report.slides[0].passed,
    seconds: Math.round(seconds * 10) / 10,
    looks,
    peakMiB: value,
    peakOfProcessesMiB: peak.processes.map(mebibytes),
    peakOfSharedFilesMiB: mebibytes(peak.shared),
    sumOfHighestMiB: mebibytes([...highest.values()].reduce((sum, bytes) => sum + bytes, 0)),
    boundMiB: bound,
  });
  console.log(`${report.counts.patches} patches of ${report.slides[0].passed} places in ${seconds.toFixed(0)} s`);
  console.log(`big-slide: value ${value} MiB`);
  process.exitCode = value < bound ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

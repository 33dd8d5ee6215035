import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeGallery } from '../../src/report/index.js';

let root: string;
const png = readFileSync(new URL('../fixtures/figures/training.png', import.meta.url)).toString('base64');

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pathlab-gallery-'));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

interface RunFiles {
  title?: string;
  error?: [name: string, message: string];
  metrics?: unknown;
  synthetic?: boolean;
  /** Seconds since 1970. */
  at?: number;
  seed?: number;
  parameters?: object;
  provenance?: object;
  status?: string;
}

/** A run folder as papermill and a notebook leave it. */
function addRun(
  name: string,
  { title = 'A notebook', error, metrics = [], synthetic = false, at = 1e9, seed = 1, ...more }: RunFiles = {},
) {
  const folder = join(root, 'results', 'runs', name);
  mkdirSync(folder, { recursive: true });
  const output = error
    ? { output_type: 'error', ename: error[0], evalue: error[1], traceback: [] }
    : { output_type: 'display_data', data: { 'image/png': png, 'text/plain': 'loss "falls" <fast>' }, metadata: {} };
  const notebook = {
    cells: [
      { cell_type: 'markdown', metadata: {}, source: [`# ${title}\n`, 'Text.'] },
      { cell_type: 'code', metadata: { tags: ['key-figure'] }, source: 'await train();', outputs: [output] },
    ],
    metadata: {
      papermill: { duration: 143.2, exception: error ? true : null, end_time: '2026-01-01T00:00:00' },
      ...(more.status && { pathlab: { status: more.status } }),
    },
  };
  writeFileSync(join(folder, 'notebook.ipynb'), JSON.stringify(notebook));
  writeFileSync(join(folder, 'notebook.html'), '<p>page</p>');
  writeFileSync(join(folder, 'metrics.json'), typeof metrics === 'string' ? metrics : JSON.stringify({ metrics }));
  writeFileSync(join(folder, 'parameters.json'), JSON.stringify({ seed, ...more.parameters }));
  const ended = new Date(1000 * at).toISOString();
  const hashes = { 'src/': 'the same' };
  const provenance = { data: [{ name: 'slides', synthetic }], hashes, ended, ...more.provenance };
  writeFileSync(join(folder, 'provenance.json'), JSON.stringify(provenance));
  return folder;
}

async function gallery(): Promise<string> {
  const path = await writeGallery({ root });
  expect(path).toBe(join(root, 'results', 'index.html'));
  return readFileSync(path, 'utf8');
}

test('a run shows its title, page, image with words, numbers with intervals, and how long it took', async () => {
  const accuracy = {
    name: 'kNN accuracy',
    value: 83.217,
    interval: [80.1, 86.25],
    unit: '%',
    about: 'held-out slides',
  };
  addRun('11-pretrain-simclr-demo-0a1b2c3d', { title: 'SimCLR', metrics: [accuracy], synthetic: true });
  const html = await gallery();
  expect(html).toContain('<a href="runs/11-pretrain-simclr-demo-0a1b2c3d/notebook.html">SimCLR</a>');
  expect(html).toContain(`src="data:image/png;base64,${png}" alt="loss &quot;falls&quot; &lt;fast&gt;"`);
  expect(html).toContain('<strong>83.2 %</strong>');
  expect(html).toContain('95 % interval 80.1 to 86.3 %');
  expect(html).toContain('held-out slides');
  expect(html).toContain('2 min 23 s');
  expect(html).toContain('includes synthetic tissue');
});

test('text of runs is text: nothing that it says becomes markup', async () => {
  const attack = `<script>alert(1)</script><img src=x onerror='alert("2")'>`;
  const number = { name: attack, value: 1, unit: attack, about: attack };
  addRun('10-hostile-demo-00000000', { title: attack, metrics: [number] });
  addRun('11-hostile-demo-00000000', { error: [attack, attack] });
  addRun(`12-"><script>alert(3)<-demo-00000000`.replaceAll('/', ''), { title: attack });
  const html = await gallery();
  expect(html).not.toMatch(/<script/i);
  expect(html.match(/<img /g)).toHaveLength(2);
  expect(html).not.toMatch(/<img src=x/);
  expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
});

test('the page needs nothing but itself', async () => {
  addRun('11-pretrain-simclr-demo-0a1b2c3d');
  const html = await gallery();
  const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address!);
  expect(addresses.length).toBeGreaterThan(0);
  for (const address of addresses) expect(address).toMatch(/^(data:image\/png;base64,|runs\/)/);
  expect(html).not.toMatch(/https?:\/\//);
  expect(html).not.toContain('@import');
});

test('a failed run is shown with its error and without numbers of an earlier one', async () => {
  const metrics = [{ name: 'old accuracy', value: 99 }];
  addRun('11-pretrain-simclr-demo-0a1b2c3d', {
    error: ['RangeError', '\u001b[31mepochs must be 1 or more\u001b[0m'],
    metrics,
  });
  const html = await gallery();
  expect(html).toContain('<span class="tag failed">failed</span>');
  expect(html).toContain('RangeError: epochs must be 1 or more');
  expect(html).not.toContain('old accuracy');
});

test('a run that was stopped is called interrupted, not failed', async () => {
  addRun('11-pretrain-simclr-demo-0a1b2c3d', { error: ['InterruptedError', 'training was interrupted after step 3'] });
  const html = await gallery();
  expect(html).toContain('<span class="tag interrupted">interrupted</span>');
  expect(html).not.toContain('>failed<');
});

test('of each experiment the latest run is shown, demo before smoke, and the others under it', async () => {
  addRun('11-pretrain-simclr-demo-00000001', { title: 'the older', at: 1e9 });
  addRun('11-pretrain-simclr-demo-00000002', { title: 'the newer', at: 1e9 + 60 });
  addRun('11-pretrain-simclr-demo-00000003', { title: 'other settings', at: 1e9, parameters: { epochs: 3 } });
  addRun('11-pretrain-simclr-smoke-00000004', { title: 'the small', at: 1e9 - 60 });
  const html = await gallery();
  expect(html.match(/<article>/g)).toHaveLength(3);
  expect(html).not.toContain('the older');
  expect(html).toContain('<summary>1 other run</summary>');
  expect(html).toContain('<a href="runs/11-pretrain-simclr-demo-00000001/notebook.html">seed 1</a>');
  expect(html).toContain('<p class="parameters">seed 1, epochs 3</p>');
  expect(html.indexOf('the newer')).toBeGreaterThan(0);
  expect(html.indexOf('the small')).toBeGreaterThan(html.indexOf('the newer'));
});

test('a failed or interrupted attempt after it hides no finished run', async () => {
  const metrics = [{ name: 'accuracy', value: 70 }];
  addRun('11-pretrain-simclr-demo-00000001', { title: 'finished', metrics });
  addRun('11-pretrain-simclr-demo-00000001-2', { at: 1e9 + 60, error: ['Error', 'no memory'] });
  addRun('11-pretrain-simclr-demo-00000001-3', { at: 1e9 + 90, status: 'interrupted' });
  const html = await gallery();
  expect(html).toContain('<strong>70</strong>');
  expect(html).toContain('<summary>2 other runs</summary>');
  expect(html).toMatch(
    /<span class="failed">failed<.span> <a [^>]*>seed 1, attempt 2<.a> <time [^>]*>[^<]*<.time>: Error: no memory/,
  );
  expect(html).toMatch(/<span class="interrupted">interrupted<.span> <a [^>]*>seed 1, attempt 3</);
});

test('several seeds of one experiment are a row with their mean, their deviation and each value', async () => {
  const metrics = (value: number) => [{ name: 'accuracy', value, unit: '%' }];
  for (const [seed, value] of [
    [1, 60],
    [2, 70],
    [3, 80],
  ] as const) {
    addRun(`11-pretrain-simclr-demo-0000000${seed}`, { seed, metrics: metrics(value), at: 1e9 + seed });
  }
  // Neither of other code nor of other cells.
  addRun('11-pretrain-simclr-demo-00000004', {
    seed: 4,
    metrics: metrics(1),
    provenance: { hashes: { 'src/': 'old' } },
  });
  addRun('11-pretrain-simclr-demo-00000005', { seed: 5, metrics: metrics(1), provenance: { edited: ['x'] } });
  const html = await gallery();
  expect(html.match(/<article>/g)).toHaveLength(1);
  expect(html).toContain('<td>70 %</td><td>10</td><td>60</td><td>70</td><td>80</td>');
});

test('a run of edited cells takes the place of none that is the notebook', async () => {
  const metrics = (value: number) => [{ name: 'accuracy', value }];
  addRun('11-pretrain-simclr-demo-00000001', { metrics: metrics(50) });
  addRun('11-pretrain-simclr-demo-00000002', { metrics: metrics(99), at: 2e9, provenance: { edited: ['x'] } });
  const html = await gallery();
  expect(html).toContain('<strong>50</strong>');
  expect(html).toMatch(/<a [^>]*>seed 1, edited<.a>/);
});

test('a run that its notebook has kept is finished, also one that was run in JupyterLab; one whose kernel died is not', async () => {
  const metrics = [{ name: 'accuracy', value: 50 }];
  const folder = addRun('11-pretrain-simclr-demo-00000001', { metrics });
  rmSync(join(folder, 'notebook.ipynb'));
  addRun('11-pretrain-simclr-demo-00000002', { at: 2e9, status: 'failed' });
  const html = await gallery();
  expect(html).toContain('<strong>50</strong>');
  expect(html).toContain('<span class="failed">failed</span>');
});

test('a run of edited cells is marked', async () => {
  addRun('11-pretrain-simclr-demo-00000001', { provenance: { edited: ['train(2)'] } });
  expect(await gallery()).toContain('edited: differs from the saved notebook');
});

test('the time is what the run says, not that of its files', async () => {
  addRun('11-pretrain-simclr-demo-00000001', { at: 1e9 });
  expect(await gallery()).toContain('<time datetime="2001-09-09T01:46:40.000Z">');
});

test('a file that cannot be read is said, and hides nothing else', async () => {
  addRun('11-pretrain-simclr-demo-0a1b2c3d', { title: 'SimCLR', metrics: '{"metrics": [' });
  addRun('12-pretrain-mocov2-demo-0a1b2c3d', { title: 'MoCo' });
  const html = await gallery();
  expect(html).toContain('metrics.json cannot be read');
  expect(html).toContain('SimCLR');
  expect(html).toContain('MoCo');
});

test('without any run the page says what to do', async () => {
  expect(await gallery()).toContain('<code>npm start</code>');
});

test('a folder with broken files is shown with what is wrong with it, and hides no other', async () => {
  addRun('01-good-demo-00000001', { title: 'Good' });
  const folder = addRun('02-bad-demo-00000002', { metrics: [{ name: 'accuracy', value: 'high' }] });
  writeFileSync(join(folder, 'notebook.ipynb'), '{"metadata":{}}');
  const page = await gallery();
  expect(page).toContain('Good');
  expect(page).toContain('notebook.ipynb cannot be read: unexpected content');
  expect(page).toContain('metrics.json has invalid entries');
});

test('a run that was killed shows no numbers: they could be of an earlier one', async () => {
  const folder = addRun('01-old-demo-00000001', { metrics: [{ name: 'earlier accuracy', value: 99 }] });
  expect(await gallery()).toContain('earlier accuracy');
  const notebook = JSON.parse(readFileSync(join(folder, 'notebook.ipynb'), 'utf8'));
  notebook.metadata.papermill.end_time = null;
  writeFileSync(join(folder, 'notebook.ipynb'), JSON.stringify(notebook));
  expect(await gallery()).not.toContain('earlier accuracy');
  // Its page was written later, since it had kept its results.
  notebook.metadata.pathlab = { status: 'finished' };
  writeFileSync(join(folder, 'notebook.ipynb'), JSON.stringify(notebook));
  expect(await gallery()).toContain('earlier accuracy');
});

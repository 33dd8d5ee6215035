import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { projectRoot } from '../../src/base/files.js';
import { verify } from '../../src/cli/verify.js';
import { attemptIn } from '../../src/runs/index.js';
import { fakeRun } from '../experiments/fake-runs.js';

const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const names = readdirSync(join(projectRoot, 'notebooks'))
  .filter((file) => file.endsWith('.ipynb'))
  .map((file) => basename(file, '.ipynb'));

interface Output {
  output_type: string;
  data?: Record<string, unknown>;
  metadata?: { 'image/png'?: { alt?: string } };
}
interface Executed {
  cells: { cell_type: string; metadata: { tags?: string[] }; outputs?: Output[] }[];
}

/** Charts (drawn from a Vega-Lite specification), other images, and tables or progress in HTML that a notebook must show. */
const expected: Record<string, { charts: number; images: number; tables: number; progress?: boolean }> = {
  '01-compile-ptcga200': { charts: 4, images: 5, tables: 11 },
  '02-compile-pcam200': { charts: 3, images: 3, tables: 9 },
  '03-compile-segpanda200': { charts: 3, images: 3, tables: 9 },
  // Its progress does not count: data that an earlier test compiled are not compiled again.
  '10-pretrain-supervised': { charts: 3, images: 3, tables: 7, progress: false },
  '11-pretrain-simclr': { charts: 3, images: 3, tables: 6, progress: false },
  '12-pretrain-mocov2': { charts: 3, images: 3, tables: 6, progress: false },
  '13-pretrain-byol': { charts: 3, images: 3, tables: 6, progress: false },
  '14-pretrain-dino': { charts: 3, images: 3, tables: 6, progress: false },
  '15-pretrain-mae': { charts: 3, images: 4, tables: 6, progress: false },
  '20-finetune-ptcga200': { charts: 6, images: 4, tables: 12, progress: false },
  '21-finetune-pcam200': { charts: 6, images: 4, tables: 12, progress: false },
  '30-segment-segpanda200': { charts: 2, images: 3, tables: 12, progress: false },
  // Of a run that the test writes.
  '40-results': { charts: 2, images: 0, tables: 15 },
};

describe.each(names)('%s at smoke scale', (name) => {
  let folder: string;
  let runs: string;
  let executed: Executed;
  let outputs: Output[];
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pathlab-page-'));
    const command = [join(projectRoot, 'kernel-setup', 'pathlab.mjs'), 'run', name, '-p', 'scale', 'smoke'];
    // Without the pretrainings that happen to be here, which would add a table of differences.
    const arms = /^[23]\d/.test(name) ? ['-p', 'init', 'random'] : [];
    runs = mkdtempSync(join(tmpdir(), 'pathlab-page-runs-'));
    const given = name === '40-results' ? ['-p', 'from', runs] : [];
    if (given.length > 0) await fakeRun(join(runs, 'it'), { scale: 'smoke', arms: { random: [0.4], SimCLR: [0.8] } });
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...command, ...arms, ...given, '-p', 'out', folder],
      {
        cwd: projectRoot,
        encoding: 'utf8',
      },
    );
    expect(status, stdout + stderr).toBe(0);
    executed = JSON.parse(read('notebook.ipynb')) as Executed;
    outputs = executed.cells.flatMap((cell) => cell.outputs ?? []);
  }, 300_000);

  afterAll(() => {
    for (const each of [folder, runs]) rmSync(each, { recursive: true, force: true });
  });

  test('keeps each chart live, as an image and in words', () => {
    const withImage = outputs.filter((output) => output.data?.['image/png']);
    const charts = withImage.filter((output) => output.data?.['application/vnd.vegalite.v5+json']);
    expect(charts).toHaveLength(expected[name]!.charts);
    expect(withImage).toHaveLength(expected[name]!.charts + expected[name]!.images);
    for (const { data, metadata } of withImage) {
      const words = [data!['text/plain']].flat().join('');
      expect(words.length).toBeGreaterThan(20);
      expect(metadata?.['image/png']?.alt).toBe(words);
    }
    const markup = outputs.flatMap((output) => [output.data?.['text/html'] ?? []].flat().join('') || []);
    const counted = markup.filter((html) => expected[name]!.progress !== false || !html.startsWith('<progress'));
    expect(counted).toHaveLength(expected[name]!.tables);
    // The value of a cell's last expression, which a page shows on purpose or not at all.
    expect(outputs.filter((output) => output.output_type === 'execute_result')).toEqual([]);
  });

  test('writes no error and nothing of this machine into its page', () => {
    expect(outputs.filter((output) => output.output_type === 'error')).toEqual([]);
    const said = outputs.flatMap((output) => [output.data?.['text/html'], output.data?.['text/plain']]).join('\n');
    expect(said).not.toContain(projectRoot);
  });

  test('marks its key figure, and keeps numbers, events and provenance', () => {
    const key = executed.cells.filter((cell) => cell.metadata.tags?.includes('key-figure'));
    expect(key).toHaveLength(1);
    expect(key[0]!.outputs!.filter((output) => output.data?.['image/png'])).toHaveLength(1);
    const { metrics } = JSON.parse(read('metrics.json')) as { metrics: { name: string; value: number }[] };
    expect(metrics.length).toBeGreaterThan(0);
    const provenance = JSON.parse(read('provenance.json')) as { data: { synthetic: boolean; sha256: string }[] };
    for (const { synthetic, sha256 } of provenance.data) {
      expect(typeof synthetic).toBe('boolean');
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(read('events.jsonl').trim().split('\n').length).toBeGreaterThan(3);
    if (!name.includes('-pretrain-')) return;
    const { runHash, files, weights } = JSON.parse(read('provenance.json'));
    expect(files).toHaveProperty('model-card.md');
    const [card, file] = [read('model-card.md'), 'backbone.safetensors'];
    for (const said of [`| run | ${runHash} |`, `| ${file} | ${weights[file]} |`, metrics[0]!.name])
      expect(card).toContain(said);
  });

  test('holds when it is verified, is another attempt when it is run again, and does not hold when it was changed', async () => {
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    try {
      expect(await verify([folder]), said.mock.calls.flat().join('\n')).toBe(0);
      expect(attemptIn(folder)).toMatchObject({ folder: `${folder}-2`, attempt: 2 });
      const changed = read('metrics.json').replace(/"value": (\d)/, (_, digit) => `"value": ${digit === '9' ? 8 : 9}`);
      writeFileSync(join(folder, 'metrics.json'), changed);
      said.mockClear();
      expect(await verify([folder])).toBe(2);
      expect(said.mock.calls.flat()).toContain('FAILED  metrics.json: changed since the run');
    } finally {
      said.mockRestore();
    }
  }, 120_000);

  test.skipIf(!browserPath)(
    'shows every image in a browser, with its words (needs Chromium)',
    { timeout: 60_000 },
    async () => {
      const browser = await chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] });
      try {
        const page = await browser.newPage();
        const asked: string[] = [];
        page.on('request', (request) => asked.push(request.url()));
        await page.goto(`file://${join(folder, 'notebook.html')}`, { waitUntil: 'load' });
        const images = await page.locator('img').evaluateAll((all) =>
          (all as HTMLImageElement[]).map(({ alt, naturalWidth, clientWidth }) => ({
            alt,
            naturalWidth,
            clientWidth,
          })),
        );
        expect(images).toHaveLength(expected[name]!.charts + expected[name]!.images);
        for (const { alt, naturalWidth, clientWidth } of images) {
          expect(alt.length).toBeGreaterThan(20);
          expect(alt).not.toContain('No description');
          expect(naturalWidth).toBeGreaterThan(200);
          expect(clientWidth).toBeGreaterThan(100);
        }
        // Text that runs out of the page.
        const wide = await page
          .locator('.jp-RenderedMarkdown, .jp-RenderedHTML table')
          .evaluateAll((all) =>
            all.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.outerHTML),
          );
        expect(wide).toEqual([]);
        expect(asked.filter((url) => !/^(file|data|blob):/.test(url))).toEqual([]);
      } finally {
        await browser.close();
      }
    },
  );
});

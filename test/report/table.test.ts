import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { from, fromCSV } from 'arquero';
import { afterEach, expect, test, vi } from 'vitest';
import { resultsFrame, showTable } from '../../src/report/index.js';
import { provenanceRows } from '../../src/report/provenance-table.js';
import { tableBundle } from '../../src/report/table.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const rows = [
  { name: 'SimCLR, "pretrained"', accuracy: 0.83217, patches: 720 },
  { name: 'random\ninitialization', accuracy: 0.41, patches: 72 },
];

test('numbers stand under each other, rounded to read, under the headings asked for', () => {
  const { 'text/plain': text } = tableBundle(rows, {
    caption: 'kNN',
    columns: { name: 'Backbone', accuracy: 'Accuracy', patches: 'Patches' },
    format: { accuracy: (share: number) => `${(100 * share).toFixed(1)} %` },
  });
  expect(text.split('\n')).toEqual([
    'kNN',
    'Backbone               Accuracy  Patches',
    '---------------------  --------  -------',
    'SimCLR, "pretrained"     83.2 %      720',
    'random initialization    41.0 %       72',
  ]);
});

test('cells are text and never markup', () => {
  const attack = '<img src=x onerror="alert(1)">';
  const html = tableBundle([{ [attack]: attack }], { caption: attack })['text/html'] as string;
  expect(html).not.toContain('<img');
  expect(html.split('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;')).toHaveLength(4);
});

test('values that are missing, no numbers, lists or facts are shown in words', () => {
  const { 'text/plain': text } = tableBundle([
    { a: undefined, b: null, c: { d: 1, e: { f: 1 / 3 } }, g: [0.3, 1], h: Number.NaN },
  ]);
  expect(text.split('\n')[2]).toBe('–  –  d 1, e (f 0.3333)  0.3, 1  NaN');
});

test('the CSV holds the values whole and reads back, also with commas, quotes and line breaks', {
  timeout: 60_000,
}, async () => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-table-'));
  try {
    // TensorFlow loads with danfojs.
    for (const table of [rows, from(rows), await resultsFrame(rows)]) {
      const save = join(folder, 'results.csv');
      await showTable(table, { save });
      expect(fromCSV(readFileSync(save, 'utf8')).objects()).toEqual(rows);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('words of cells are links where they are named, and nothing else is markup', () => {
  const links = { '1a2b3c4d': '../a&b/notebook.html' };
  const bundle = tableBundle([{ value: '0.5 · 1a2b3c4d <b>', other: '1a2b3c4d5 constructor' }], { links });
  const markup = bundle['text/html'] as string;
  expect(markup).toContain('0.5 · <a href="../a&amp;b/notebook.html">1a2b3c4d</a> &lt;b&gt;</td>');
  expect(markup).toContain('>1a2b3c4d5 constructor</td>');
  expect(bundle['text/plain']).not.toContain('href');
});

test('provenance says each fact in a row', () => {
  const rowsOf = provenanceRows({
    notebook: 'n',
    scale: 'smoke',
    command: 'npm run notebook -- n',
    seed: 7,
    runHash: 'ab',
    attempt: 2,
    repeats: { same: ['weights'], different: [] },
    edited: ['train(2);\nagain();'],
    files: {},
    hashes: { 'src/': 'cd' },
    versions: { node: '20.19.0' },
    device: { kind: 'cpu', threads: { intraOp: 2 }, features: ['avx2', 'fma'] },
    choices: { threads: 2 },
    data: [
      { name: 'a slide', synthetic: false, sha256: 'aa' },
      { name: 'drawn 1', synthetic: true, sha256: 'bb' },
      { name: 'drawn 2', synthetic: true, sha256: 'cc' },
    ],
    weights: {},
    gitCommit: null,
    started: 'then',
    ended: 'now',
  });
  expect(rowsOf).toContainEqual({ what: 'device', value: 'kind cpu, threads (intraOp 2), features (avx2, fma)' });
  expect(rowsOf).toContainEqual({ what: 'data a slide', value: 'synthetic false, SHA-256 aa' });
  const drawn = rowsOf.find(({ what }) => what === 'data drawn 1 … drawn 2');
  expect(drawn?.value).toMatch(/^files 2, synthetic true, SHA-256 of .* [0-9a-f]{64}$/);
  expect(rowsOf).toContainEqual({ what: 'SHA-256 of src/', value: 'cd' });
  const cells = 'cells not in the notebook were run: train(2); ...';
  expect(rowsOf).toContainEqual({ what: 'edited', value: cells });
  const attempt = "2; files identical to the first attempt's: weights; different: none";
  expect(rowsOf).toContainEqual({ what: 'attempt', value: attempt });
  expect(rowsOf).toContainEqual({ what: 'commit', value: 'not a git checkout' });
});

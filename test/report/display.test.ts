import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KernelServices } from '../../src/base/index.js';
import {
  display,
  duration,
  intervalChart,
  liveTrainingChart,
  newLiveDisplay,
  progress,
  showChart,
  showImageGrid,
} from '../../src/report/index.js';
import { EventLog } from '../../src/runs/index.js';

type Message = Parameters<KernelServices['display']>[0];

const kernelName = Symbol.for('pathlab.kernel');
const globals = globalThis as Record<symbol, unknown>;
let messages: Message[];
let folder: string;

/** Stands at the kernel's side of the contract and keeps what crosses it. */
function openKernel(): void {
  const services: KernelServices = {
    display: (message) => messages.push(message),
    interruptSignal: () => new AbortController().signal,
  };
  globals[kernelName] = services;
}

beforeEach(() => {
  messages = [];
  folder = mkdtempSync(join(tmpdir(), 'pathlab-display-'));
});

afterEach(() => {
  delete globals[kernelName];
  rmSync(folder, { recursive: true });
  vi.restoreAllMocks();
});

const vegaLite = 'application/vnd.vegalite.v5+json';
const training = { title: 'training', totalSteps: 3, panels: [{ title: 'loss', metrics: ['loss'] }] };
const trainingStep = (step: number) => ({
  kind: 'step' as const,
  ...{ step, steps: 3, loss: 4 / step, learningRate: 0.1, imagesPerSecond: 8 },
});

describe('in a notebook', () => {
  beforeEach(openKernel);

  test('a chart goes out once, as Vega-Lite 5, as an image with its size, and in words', async () => {
    const rows = [{ name: 'features', value: 0.5, low: 0.4, high: 0.6 }];
    const { spec, alt } = intervalChart(rows, { title: 'kNN', valueTitle: 'accuracy' });
    const save = join(folder, 'chart.png');
    await showChart(spec, { alt, save });
    expect(messages).toHaveLength(1);
    const { data, metadata } = messages[0]!;
    expect(Object.keys(data).sort()).toEqual([vegaLite, 'image/png', 'text/plain']);
    expect(data['text/plain']).toBe(alt);
    const live = data[vegaLite] as { $schema: string };
    expect(live.$schema).toBe('https://vega.github.io/schema/vega-lite/v5.json');
    expect(JSON.parse(JSON.stringify(live))).toEqual(live);
    const png = Buffer.from(data['image/png'] as string, 'base64');
    expect(readFileSync(save).equals(png)).toBe(true);
    const { width, height } = (metadata as { 'image/png': { width: number; height: number } })['image/png'];
    // A PNG has its size in pixels at bytes 16 and 20; a CSS px is two of them.
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([2 * width, 2 * height]);
  });

  test('a training is one display; an image is made of its last state alone, however fast steps come', async () => {
    const chart = liveTrainingChart(training);
    for (const step of [1, 2, 3]) await chart.add(trainingStep(step));
    await chart.finish();
    expect(messages.map((message) => message.update)).toEqual([false, true]);
    expect(new Set(messages.map((message) => message.displayId)).size).toBe(1);
    expect(messages.map(({ data }) => Object.keys(data).sort())).toEqual([
      [vegaLite, 'text/plain'],
      [vegaLite, 'image/png', 'text/plain'],
    ]);
    expect(messages[0]?.data['text/plain']).toBe('training: step 1 of 3; loss 4.00 → 4.00');
    expect(messages[1]?.data['text/plain']).toMatch(/^training: 3 steps, 0\.\d s; loss 4\.00 → 1\.33$/);
  });

  test('a training that resumes shows its earlier steps, and the time without the pause', async () => {
    const path = join(folder, 'events.jsonl');
    const log = await EventLog.open(path);
    const secondOfMay = (second: number) => new Date(Date.UTC(2024, 4, 2, 0, 0, second)).toISOString();
    await log.append({ time: secondOfMay(0), kind: 'opened' });
    await log.append({ time: secondOfMay(20), ...trainingStep(1) });
    await log.append({ time: secondOfMay(50), ...trainingStep(2) });
    await log.append({ time: secondOfMay(51), kind: 'opened' });

    const chart = liveTrainingChart({ ...training, log: path });
    await chart.add({ kind: 'resumed', step: 2, path: 'checkpoint' });
    await chart.add(trainingStep(3));
    await chart.finish();
    expect(messages[0]?.data['text/plain']).toBe('training: step 2 of 3; loss 4.00 → 2.00');
    expect(messages[1]?.data['text/plain']).toMatch(/^training: 3 steps, 30 s; loss 4\.00 → 1\.33$/);
  });

  test('a training that failed before its first event leaves no chart', async () => {
    await liveTrainingChart(training).finish();
    expect(messages).toEqual([]);
  });

  test('two live displays do not share their output', () => {
    newLiveDisplay().update({ 'text/plain': 'one' });
    newLiveDisplay().update({ 'text/plain': 'other' });
    expect(messages[0]?.displayId).not.toBe(messages[1]?.displayId);
    expect(messages.every((message) => message.update === false)).toBe(true);
  });

  test('progress ends in what was done, as text and as markup without what a note could smuggle in', () => {
    const work = progress('slides <1>', 10, 3600);
    for (let done = 1; done <= 10; done++) work.update(done);
    work.finish('a <b>note</b>');
    expect(messages).toHaveLength(2);
    expect(messages[1]?.data['text/plain']).toMatch(/^slides <1>: 10 of 10, \d\.\d s, a <b>note<\/b>$/);
    expect(messages[1]?.data['text/html']).toContain('slides &lt;1&gt;');
    expect(messages[1]?.data['text/html']).not.toContain('<b>');
  });

  test('an image grid brings its words along', async () => {
    const image = { pixels: new Uint8Array(48), width: 4, height: 4 };
    await showImageGrid([image], { columns: 1, alt: 'a black square' });
    expect(messages[0]?.data['text/plain']).toBe('a black square');
    expect(messages[0]?.metadata).toMatchObject({ 'image/png': { alt: 'a black square' } });
  });
});

describe('outside a notebook', () => {
  test('the words go to the terminal; a live display repeats only what has changed', () => {
    const print = vi.spyOn(console, 'log').mockImplementation(() => {});
    display({ 'text/plain': 'words', 'text/html': '<b>words</b>' });
    const live = newLiveDisplay();
    for (const text of ['a', 'a', 'b']) live.update({ 'text/plain': text });
    expect(print.mock.calls.flat()).toEqual(['words', 'a', 'b']);
  });
});

test('lengths of time', () => {
  expect([0.04, 9.96, 61, 3599, 3600 * 25 + 61].map(duration)).toEqual([
    '0.0 s',
    '10.0 s',
    '1 min 1 s',
    '59 min 59 s',
    '25 h 1 min',
  ]);
});

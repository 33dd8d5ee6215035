import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { disposeTensors, readSafetensors, type Tensors, writeSafetensors } from '../../src/engine/index.js';
import { measure, SegmentationCounts, type SegmentedCases } from '../../src/evaluate/index.js';
import { casesOf } from '../../src/experiments/finetune-cases.js';
import { segmentationTask, storedCounts } from '../../src/experiments/finetune-segmentation.js';
import type { BatchSource } from '../../src/input/index.js';

const top = mkdtempSync(join(tmpdir(), 'finetune-segmentation-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));

const classNames = ['background', 'gland', 'without'];
/** Two patches of the first patient, one of the second. */
const source = {
  rows: Int32Array.of(0, 1, 2),
  dataset: {
    classNames,
    patients: { codes: Int32Array.of(0, 0, 1), names: ['one', 'two'] },
    slides: { codes: Int32Array.of(0, 0, 1), names: ['one', 'two'] },
  },
} as unknown as BatchSource;

/** What a run keeps of counts, and what a later one makes of it. */
async function keptAndRead({ confusion, boundaries }: Pick<SegmentedCases, 'confusion' | 'boundaries'>) {
  const path = join(top, 'predictions.safetensors');
  const stored: Tensors = { confusion: storedCounts(confusion), boundaries: storedCounts(boundaries) };
  await writeSafetensors(path, stored);
  const { tensors } = await readSafetensors(path);
  const results = await segmentationTask.results(tensors, casesOf(source, 'patients'));
  disposeTensors(stored, tensors);
  return results;
}

describe('what is kept of a segmentation', () => {
  it('has the counts of a patient with more pixels than an int32 holds', async () => {
    const counts = {
      confusion: [
        Float64Array.of(2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 0, 1, 3 * 2 ** 40 + 7, 5e9, 0, 2 ** 32),
        Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
      ],
      boundaries: [new Float64Array(12).fill(2 ** 33 + 3), new Float64Array(12)],
    };
    const results = await keptAndRead(counts);
    expect(results).toMatchObject({ ...counts, patients: ['one', 'two'], casesOf: [2, 1] });
  });

  it('has values or reasons, and never NaN, for constant predictions and a class that is nowhere', async () => {
    const counts = new SegmentationCounts({ classNames, ignored: 255 });
    const predicted = new Uint8Array(16);
    const image = { name: 'patch', width: 4, height: 4, predicted };
    counts.add({ ...image, patient: 'one', mask: Uint8Array.from(predicted, (_, px) => Number(px > 7)) });
    counts.add({ ...image, patient: 'two', mask: predicted.map(() => 255) });
    const measured = measure(segmentationTask.metrics, await keptAndRead(counts.results()));
    for (const [name, { value, reason }] of Object.entries(measured)) {
      expect(value === null ? typeof reason : Number.isFinite(value), name).toBe(value === null ? 'string' : true);
    }
    // Background is half right, glands not at all, and the third class does not count.
    expect(measured.macroIou!.value).toBeCloseTo(0.25, 12);
    expect(measured.pixelAccuracy!.value).toBe(0.5);
  });
});

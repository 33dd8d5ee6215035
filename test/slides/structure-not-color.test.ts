import { beforeAll, expect, it } from 'vitest';
import {
  colorHistogramFeatures,
  type Features,
  knnClassify,
  type Patches,
  wilsonInterval,
} from '../../src/evaluate/index.js';
import { renderSection } from '../../src/slides/index.js';
import { tissueKinds } from '../../src/slides/synthetic/index.js';
import { smallSection } from './small-slide.js';

/** Patients, each with a stain and a scanner of its own, and with a section of every kind. */
const patients = 6;
/** Side of a patch, px: the slides' own pixels. Smaller images mix neighboring materials, and their colors then tell of structure. */
const size = 400;
/** Two patches of a section, px from its corner: inside its uneven edge. */
const places = [
  [500, 500],
  [900, 500],
] as const;

let set: Patches & { labels: Int32Array; patients: Int32Array };
beforeAll(async () => {
  const count = patients * tissueKinds.length * places.length;
  const [bytes, labels, ofPatient] = [size * size * 3, new Int32Array(count), new Int32Array(count)];
  set = { images: new Uint8Array(count * bytes), count, size, labels, patients: ofPatient };
  let patch = 0;
  for (let patient = 0; patient < patients; patient++) {
    // One look for all of a patient's sections.
    const { stain, scanner } = smallSection(`patient ${patient}`, { columns: 1, rows: 1 });
    for (const [label, { name: kind }] of tissueKinds.entries()) {
      const { tissue } = smallSection(`${patient} ${kind}`, { columns: 3, rows: 2, kind });
      const section = { tissue: { ...tissue, patientSeed: `patient ${patient}` }, stain, scanner };
      const { pixels, width } = await renderSection(section);
      for (const [left, top] of places) {
        for (let row = 0; row < size; row++) {
          const from = 3 * ((top + row) * width + left);
          set.images.set(pixels.subarray(from, from + 3 * size), patch * bytes + 3 * row * size);
        }
        labels[patch] = label;
        ofPatient[patch++] = patient;
      }
    }
  }
}, 300_000);

it('tissue kinds cannot be told by color, of patients not seen', async () => {
  const chance = 1 / tissueKinds.length;
  const { correct, total } = await leavePatientOut(colorHistogramFeatures(set));
  expect(total).toBe(240);
  expect(correct / total).toBeLessThan(chance + 0.08);
  expect(wilsonInterval(correct, total).low).toBeLessThan(chance + 0.03);
}, 120_000);

it('and can be told by structure, blind to color', async () => {
  const { correct, total } = await leavePatientOut(structureFeatures(set));
  expect(wilsonInterval(correct, total).low).toBeGreaterThan(3 / tissueKinds.length);
}, 120_000);

/** kNN of each patient's patches among those of all others. */
async function leavePatientOut(features: Features): Promise<{ correct: number; total: number }> {
  let correct = 0;
  let total = 0;
  for (let patient = 0; patient < patients; patient++) {
    const bank = rowsWhere((patch) => set.patients[patch] !== patient);
    const queries = rowsWhere((patch) => set.patients[patch] === patient);
    const result = await knnClassify(take(features, bank), labels(bank), take(features, queries), labels(queries), {
      classes: tissueKinds.length,
      neighbors: 5,
    });
    correct += result.correct.filter(Boolean).length;
    total += queries.length;
  }
  return { correct, total };
}

function rowsWhere(keep: (patch: number) => boolean): number[] {
  return Array.from({ length: set.count }, (_, patch) => patch).filter(keep);
}

function labels(rows: readonly number[]): Int32Array {
  return Int32Array.from(rows, (row) => set.labels[row]!);
}

function take({ values, width }: Features, rows: readonly number[]): Features {
  const taken = new Float32Array(rows.length * width);
  for (const [at, row] of rows.entries()) taken.set(values.subarray(row * width, (row + 1) * width), at * width);
  return { values: taken, count: rows.length, width };
}

/**
 * A simple description of gray structure that turning and staining leave as it is: each patch is brought to mean 0 and
 * deviation 1; then, at four scales, deviation and skewness of what a blur leaves and of what it takes away, and how
 * far the gradients agree on one direction. Each feature is standardized over the set.
 */
function structureFeatures({ images, count }: Patches): Features {
  const reduced = size / shrink;
  const rows = Array.from({ length: count }, (_, patch) => {
    const gray = standardized(shrunkGray(images.subarray(patch * size ** 2 * 3, (patch + 1) * size ** 2 * 3)));
    const described: number[] = [];
    let finer = gray;
    for (const radius of [1, 2, 4, 6]) {
      const coarser = boxBlur(gray, reduced, radius);
      described.push(...moments(coarser), ...moments(finer.map((value, at) => value - coarser[at]!)));
      described.push(coherence(coarser, reduced));
      finer = coarser;
    }
    return described;
  });
  const width = rows[0]!.length;
  const values = new Float32Array(count * width);
  for (let column = 0; column < width; column++) {
    const scaled = standardized(Float32Array.from(rows, (row) => row[column]!));
    scaled.forEach((value, row) => {
      values[row * width + column] = value;
    });
  }
  return { values, count, width };
}

/** Pixels of a patch for each that is described, along a side: 4 um. */
const shrink = 8;

function shrunkGray(rgb: Uint8Array): Float32Array {
  const reduced = size / shrink;
  const gray = new Float32Array(reduced * reduced);
  for (let at = 0; at < size * size; at++) {
    const cell = Math.floor(at / size / shrink) * reduced + Math.floor((at % size) / shrink);
    gray[cell]! += rgb[3 * at]! + rgb[3 * at + 1]! + rgb[3 * at + 2]!;
  }
  return gray;
}

function standardized(values: Float32Array): Float32Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value) => (value - mean) / Math.sqrt(variance + 1e-12));
}

/** Deviation and skewness. */
function moments(values: Float32Array): [number, number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const second = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const third = values.reduce((sum, value) => sum + (value - mean) ** 3, 0) / values.length;
  return [Math.sqrt(second), third / second ** 1.5];
}

function boxBlur(values: Float32Array, side: number, radius: number): Float32Array {
  const alongRows = (from: Float32Array) =>
    Float32Array.from(from, (_, at) => {
      const row = Math.floor(at / side);
      let sum = 0;
      let taken = 0;
      for (let column = (at % side) - radius; column <= (at % side) + radius; column++) {
        if (column < 0 || column >= side) continue;
        sum += from[row * side + column]!;
        taken++;
      }
      return sum / taken;
    });
  const transposed = (from: Float32Array) =>
    Float32Array.from(from, (_, at) => from[(at % side) * side + Math.floor(at / side)]!);
  return transposed(alongRows(transposed(alongRows(values))));
}

/** 0 where gradients point everywhere, 1 where all lie on one line. */
function coherence(values: Float32Array, side: number): number {
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let row = 1; row < side - 1; row++) {
    for (let column = 1; column < side - 1; column++) {
      const at = row * side + column;
      const dx = values[at + 1]! - values[at - 1]!;
      const dy = values[at + side]! - values[at - side]!;
      xx += dx * dx;
      yy += dy * dy;
      xy += dx * dy;
    }
  }
  return Math.hypot(xx - yy, 2 * xy) / (xx + yy);
}

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  measure,
  paperSegmentationMetrics,
  SegmentationCounts,
  type SegmentedCases,
  type SegmentedImage,
  segmentationMetrics,
  segmentationReport,
} from '../../../src/evaluate/index.js';
import { integers } from './hashed.js';

type Name = keyof ReturnType<typeof segmentationMetrics>;
type Paper = keyof typeof paperSegmentationMetrics;
interface Reference extends Record<Exclude<Name, 'boundaryF1'>, number> {
  stream: number;
  classes: number;
  present: number;
  changed: number;
  images: number;
  tolerance: number;
  boundaryF1: number | null;
  foregroundDice: number;
  torchMacroIou: number;
  torchMicroIou: number;
  torchMacroDice: number;
  boundaries: number[][];
  paper: Record<Paper, number>;
}

const { cases: references } = JSON.parse(
  readFileSync(new URL('../../fixtures/sklearn-metrics/segmentation.json', import.meta.url), 'utf8'),
) as { cases: Reference[] };

const [height, width, block] = [24, 32, 4];

/** An image of make.py. */
function imageOf({ stream, classes, present, changed }: Reference, place: number): SegmentedImage {
  const at = stream + 4 * place;
  const coarse = integers(at, (height * width) / block ** 2, present);
  const blocks = Uint8Array.from({ length: height * width }, (_, pixel) => {
    const [row, column] = [Math.floor(pixel / width / block), Math.floor((pixel % width) / block)];
    return coarse[(row * width) / block + column]!;
  });
  const changes = integers(at + 1, height * width, 100);
  const others = integers(at + 2, height * width, classes);
  const ignored = integers(at + 3, height * width, 20);
  return {
    name: `image ${place}`,
    patient: `patient ${place}`,
    width,
    height,
    predicted: blocks.map((label, pixel) => (changes[pixel]! < changed ? others[pixel]! : label)),
    mask: blocks.map((label, pixel) => (ignored[pixel] === 0 ? 255 : label)),
  };
}

const namesOf = (classes: number) => Array.from({ length: classes }, (_, label) => `class ${label}`);

function counted(reference: Reference): SegmentedCases {
  const { classes, images, tolerance } = reference;
  const counts = new SegmentationCounts({ classNames: namesOf(classes), ignored: 255, boundaryTolerance: tolerance });
  for (let place = 0; place < images; place++) counts.add(imageOf(reference, place));
  return counts.results();
}

describe('segmentation metrics against scikit-learn, torchmetrics and SciPy', () => {
  const results = references.map((reference) => ({ reference, counts: counted(reference) }));
  const reports = results.map(({ reference, counts }) => ({ reference, report: segmentationReport(counts) }));

  it.each(['macroIou', 'macroDice', 'microIou', 'microDice', 'pixelAccuracy', 'boundaryF1'] as const)('%s', (name) => {
    for (const { reference, report } of reports) {
      const { value, reason } = report.metrics[name];
      if (reference[name] === null) expect([value, reason]).toEqual([null, 'no class has a boundary']);
      else expect(value, JSON.stringify(reference)).toBeCloseTo(reference[name], 9);
    }
  });

  it.each(Object.keys(paperSegmentationMetrics) as Paper[])("the paper's rule: %s", (name) => {
    for (const { reference, report } of reports) {
      expect(report.paper[name].value, JSON.stringify(reference)).toBeCloseTo(reference.paper[name], 9);
    }
  });

  it.each([
    ['torchMacroIou', 'macroIou'],
    ['torchMicroIou', 'microIou'],
    ['torchMacroDice', 'macroDice'],
  ] as const)('%s', (torch, name) => {
    for (const { reference, report } of reports) {
      expect(Math.abs(report.metrics[name].value! - reference[torch])).toBeLessThan(1e-6);
    }
  });

  it('boundary pixels and those that match, of each class', () => {
    for (const { reference, counts } of results) {
      const sums = Array.from({ length: reference.classes * 4 }, (_, place) =>
        counts.boundaries.reduce((sum, own) => sum + own[place]!, 0),
      );
      expect(sums, JSON.stringify(reference)).toEqual(reference.boundaries.flat());
    }
  });

  it('Dice without the background', () => {
    for (const { reference, counts } of results) {
      const { microDice } = segmentationMetrics('foreground');
      const named = segmentationMetrics(counts.classNames.slice(1)).microDice;
      const value = measure({ microDice }, counts).microDice.value ?? 0;
      expect(measure({ named }, counts).named.value ?? 0).toBe(value);
      expect(value, JSON.stringify(reference)).toBeCloseTo(reference.foregroundDice, 9);
    }
  });
});

/** Counts of an image of rows of digits; `x` is ignored. */
function drawn(mask: readonly string[], predicted: readonly string[], options: { tolerance?: number } = {}) {
  const pixels = (rows: readonly string[]) =>
    Uint8Array.from(rows.join(''), (digit) => (digit === 'x' ? 255 : Number(digit)));
  const counts = new SegmentationCounts({
    classNames: ['stroma', 'tumor', 'fat'],
    ignored: 255,
    boundaryTolerance: options.tolerance,
  });
  counts.add({
    name: 'drawn',
    patient: 'P1',
    width: mask[0]!.length,
    height: mask.length,
    mask: pixels(mask),
    predicted: pixels(predicted),
  });
  return counts.results();
}

describe('segmentation metrics', () => {
  it('leave out a class that is nowhere; the paper counts it as 0', () => {
    const report = segmentationReport(drawn(['0011'], ['0111']));
    expect(report.classes).toMatchObject([
      { class: 'stroma', pixels: 2, iou: 1 / 2, dice: 2 / 3 },
      { class: 'tumor', pixels: 2, iou: 2 / 3, dice: 4 / 5 },
      { class: 'fat', pixels: 0, iou: null, dice: null, boundaryF1: null },
    ]);
    expect(report.metrics.macroIou.value).toBeCloseTo(7 / 12, 12);
    expect(report.paper.macroIou.value).toBeCloseTo(7 / 18, 5);
    expect(report.metrics.microDice.value).toBe(report.metrics.pixelAccuracy.value);
    expect(report.confusion).toEqual([
      [1, 1, 0],
      [0, 2, 0],
      [0, 0, 0],
    ]);
  });

  it('count a class that is only predicted as 0', () => {
    expect(segmentationReport(drawn(['0011'], ['0012'])).metrics.macroIou.value).toBeCloseTo((1 + 1 / 2 + 0) / 3, 12);
  });

  it('leave out ignored pixels, whatever is predicted there', () => {
    const [one, other] = [
      ['0011', '0012'],
      ['0011', '0011'],
    ].map((predicted) => segmentationReport(drawn(['0011', '00xx'], predicted)));
    expect(one).toEqual(other);
    expect(one!.metrics.macroIou.value).toBe(1);
    const none = segmentationReport(drawn(['xx'], ['01']));
    for (const value of Object.values(none.metrics)) expect(value).toEqual({ value: null, reason: expect.any(String) });
  });

  it('of some classes leave out the others, and say so in their headings', () => {
    const { macroDice, boundaryF1, pixelAccuracy } = segmentationMetrics(['tumor', 'fat']);
    expect([macroDice.label, boundaryF1.label, pixelAccuracy.label]).toEqual([
      'Dice (tumor, fat)',
      'Boundary F1 (tumor, fat)',
      'Pixel accuracy',
    ]);
    expect(measure({ macroDice }, drawn(['0011'], ['0111'])).macroDice.value).toBe(0.8);
    expect(() => measure(segmentationMetrics(['bone']), drawn(['01'], ['01']))).toThrow(
      '"bone" is not one of the classes stroma, tumor, fat',
    );
  });

  it('take the sums of images, in any order, and patients as often as drawn', () => {
    const reference = references.find(({ classes, images }) => classes === 4 && images === 2)!;
    const add = (places: number[], patient: (place: number) => string) => {
      const counts = new SegmentationCounts({
        classNames: namesOf(4),
        ignored: 255,
        boundaryTolerance: reference.tolerance,
      });
      for (const place of places) counts.add({ ...imageOf(reference, place), patient: patient(place) });
      return counts.results();
    };
    const apart = add([0, 1], String);
    expect(add([1, 0], String)).toEqual(apart);
    expect(apart.casesOf).toEqual([1, 1]);
    const together = add([0, 0, 0, 1], () => 'one');
    expect(together.casesOf).toEqual([4]);
    const definitions = segmentationMetrics();
    for (const name of Object.keys(definitions) as Name[]) {
      expect(definitions[name].of(apart)(Float64Array.of(3, 1))).toEqual(
        definitions[name].of(together)(Float64Array.of(1)),
      );
      expect(definitions[name].of(apart, apart)(Float64Array.of(1, 0, 2, 1))).toEqual(
        definitions[name].of(together)(Float64Array.of(1)),
      );
    }
  });
});

describe('boundary F1', () => {
  it('grows with the tolerance, and is 1 for the mask itself', () => {
    const mask = ['000000', '001110', '001110', '000000'];
    const moved = ['000000', '011100', '011100', '000000'];
    const values = [0, 1, 2].map(
      (tolerance) => segmentationReport(drawn(mask, moved, { tolerance })).metrics.boundaryF1.value!,
    );
    expect(values[0]).toBeLessThan(values[1]!);
    expect(values[1]).toBe(1);
    expect(segmentationReport(drawn(mask, mask, { tolerance: 0 })).metrics.boundaryF1.value).toBe(1);
  });

  it("takes neither the image's edge nor ignored pixels for a boundary", () => {
    expect(segmentationReport(drawn(['11x00'], ['11000'])).metrics.boundaryF1).toEqual({
      value: null,
      reason: 'no class has a boundary',
    });
  });

  it('is 0 for a class whose boundary is on one side only', () => {
    expect(segmentationReport(drawn(['0000'], ['0011'])).classes.map(({ boundaryF1 }) => boundaryF1)).toEqual([
      0,
      0,
      null,
    ]);
  });
});

describe('SegmentationCounts refuses', () => {
  const image = { name: 'slide 7, tile 3', patient: 'P1', width: 3, height: 2 };
  const counts = new SegmentationCounts({ classNames: ['stroma', 'tumor'], ignored: 9 });
  const good = Uint8Array.of(0, 1, 0, 1, 0, 1);

  it('a mask value or prediction that is no class, and keeps what it had', () => {
    counts.add({ ...image, mask: good, predicted: good });
    const before = counts.results();
    expect(() => counts.add({ ...image, mask: Uint8Array.of(0, 1, 0, 1, 5, 1), predicted: good })).toThrow(
      'slide 7, tile 3: the mask has the value 5 at row 1, column 1, which is no class (0 stroma, 1 tumor; 9 is ignored)',
    );
    expect(() => counts.add({ ...image, mask: good, predicted: good.map(() => 9) })).toThrow(
      /the prediction has the value 9 at row 0, column 0/,
    );
    expect(counts.results()).toEqual(before);
    expect(() =>
      new SegmentationCounts({ classNames: ['stroma', 'tumor'] }).add({
        ...image,
        mask: good.fill(255),
        predicted: good,
      }),
    ).toThrow(/value 255 .* no value is ignored/);
  });

  it('sizes and settings that do not fit', () => {
    expect(() => counts.add({ ...image, mask: good.slice(1), predicted: good })).toThrow(
      /mask has 5 values for 3 x 2 px/,
    );
    expect(() => new SegmentationCounts({ classNames: ['a', 'b'], ignored: 1 })).toThrow(/no class, 2 to 255; got 1/);
    expect(() => new SegmentationCounts({ classNames: ['a'] })).toThrow(/at least two classes/);
    expect(() => new SegmentationCounts({ classNames: ['a', 'b'], boundaryTolerance: -1 })).toThrow(/got -1/);
    expect(() => new SegmentationCounts({ classNames: ['a', 'b'] }).results()).toThrow(/metrics of no images/);
  });
});

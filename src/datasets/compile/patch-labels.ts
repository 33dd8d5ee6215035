import sharp from 'sharp';
import {
  type LabelSource,
  openLabelImage,
  type PatchIndex,
  polygonLabels,
  readLabelPatch,
  readPolygons,
  type Slide,
} from '../../slides/index.js';
import type { DatasetClass, LabelRule } from '../definition.js';
import { unlabelled } from '../ignored-values.js';
import type { DatasetSlide } from '../slide-source.js';

/** Label of a patch. */
export interface PatchLabel {
  /** Name of its class; null for none. */
  class: string | null;
  /** PNG with the class number of each pixel, `unlabelled` for one that does not count; only if labels come from masks. */
  mask?: Uint8Array;
  /** Fraction of the patch of each class, as `share_<class>`; only for labels within the patch. */
  shares: Readonly<Record<string, number>>;
}

/** Labels of one slide's patches. */
export interface PatchLabels {
  /** Annotations without area, which are ignored. */
  withoutArea: number;
  of(patch: number): Promise<PatchLabel>;
  close(): Promise<void>;
}

/** Size of the grid on which polygons are sampled to get a patch's class, px. */
const polygonGrid = 128;

/**
 * Opens the mask or polygons of a definition's labels. Such a patch has the class that covers most of it; on a tie, the
 * one with the smaller number.
 *
 * @throws Error when the slide lacks its mask, or mask or polygons do not fit the slide or the rule
 */
export async function openPatchLabels(
  rule: LabelRule,
  record: DatasetSlide,
  slide: Slide,
  index: PatchIndex,
): Promise<PatchLabels> {
  if (rule.from === 'annotation') {
    const { source, withoutArea } = await annotationSource(rule, record, slide);
    return {
      withoutArea,
      of: async (patch) => majority(rule.classes, await readLabelPatch(source, index, patch, polygonGrid)),
      close: () => source.close(),
    };
  }
  if (rule.from === 'mask') {
    if (!record.mask) throw new Error(`${record.id} has no mask, and the definition takes labels from masks`);
    const source = await openLabelImage(record.mask, slide);
    const numbers = maskNumbers(rule, record);
    const size = index.geometry.pixels;
    return {
      withoutArea: 0,
      async of(patch) {
        const labels = (await readLabelPatch(source, index, patch)).map((value) => {
          const number = numbers[value]!;
          if (number >= 0) return number;
          throw new Error(`the mask of ${record.id} holds the value ${value}, ${unknownValue}`);
        });
        const mask = await sharp(labels, { raw: { width: size, height: size, channels: 1 } })
          .toColorspace('b-w')
          .png()
          .toBuffer();
        return { ...majority(rule.classes, labels), mask };
      },
      close: () => source.close(),
    };
  }
  return {
    withoutArea: 0,
    async of() {
      return { class: record.class, shares: {} };
    },
    async close() {},
  };
}

async function annotationSource(
  { classes, groups, outside }: Extract<LabelRule, { from: 'annotation' }>,
  { annotation }: DatasetSlide,
  slide: Slide,
): Promise<{ source: LabelSource; withoutArea: number }> {
  const numberOf = (name: string) => classes.find((one) => one.name === name)!.label;
  const { polygons, withoutArea } = annotation ? await readPolygons(annotation) : { polygons: [], withoutArea: 0 };
  // In the order of the groups: later ones overwrite earlier ones, so exclusions come last.
  const labels = Object.fromEntries(Object.entries(groups).map(([group, name]) => [group, numberOf(name)]));
  return { source: polygonLabels(polygons, slide, { labels, background: numberOf(outside) }), withoutArea };
}

/** What is wrong with a value that a definition does not map. */
export const unknownValue =
  'which is not a class value of the definition: map it to a class, or to null if its pixels do not count';

/** Class number of each mask value, `unlabelled` of one that does not count; -1 for one that is not mapped. */
export function maskNumbers(
  { classes, values }: Extract<LabelRule, { from: 'mask' }>,
  { id, site }: Pick<DatasetSlide, 'id' | 'site'>,
): Int16Array {
  const own = (site !== null ? values[site] : undefined) ?? values['*'];
  if (!own)
    throw new Error(`${id} is of the site ${JSON.stringify(site)}, for which the definition maps no mask values`);
  const numbers = new Int16Array(256).fill(-1);
  for (const [value, name] of Object.entries(own)) {
    numbers[Number(value)] = name === null ? unlabelled : classes.find((one) => one.name === name)!.label;
  }
  return numbers;
}

/** The class that covers most; on a tie, the one with the smaller number. None where no pixel counts. */
export function majority(classes: readonly DatasetClass[], labels: Uint8Array): PatchLabel {
  const counts = new Int32Array(256);
  for (const label of labels) counts[label]!++;
  const inOrder = [...classes].sort((one, other) => one.label - other.label);
  const most = inOrder.reduce((best, one) => (counts[one.label]! > counts[best.label]! ? one : best));
  const shares = inOrder.map(({ name, label }) => [`share_${name}`, counts[label]! / labels.length] as const);
  return { class: counts[most.label]! > 0 ? most.name : null, shares: Object.fromEntries(shares) };
}

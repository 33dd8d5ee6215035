import type { LabelRule } from './definition.js';

/** Value in the masks of shards of pixels that have no class and do not count; no class has this number beside them. */
export const unlabelled = 255;

/** Values of a source's masks that a definition maps to null: those of pixels that do not count. In ascending order. */
export function ignoredValues(labels: LabelRule): number[] {
  if (labels.from !== 'mask') return [];
  const found = Object.values(labels.values).flatMap((map) => Object.keys(map).filter((value) => map[value] === null));
  return [...new Set(found.map(Number))].sort((one, other) => one - other);
}

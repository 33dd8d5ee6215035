import type { LabelRule } from '../definition.js';
import { unlabelled } from '../ignored-values.js';

/** Values that are on average this far apart, from 0, are gray levels and not class numbers. */
const grayStep = 16;

/**
 * Makes a rule from the values in masks: each is a class of that name. But beside class numbers, as in Pascal VOC's 0 to 20,
 * 255 marks pixels that nobody annotated, and is mapped to null. In masks of 0 and 255, or of gray levels, it is a class.
 *
 * @param found values in ascending order
 * @returns also what 255 was taken for, in sentences
 */
export function labelsOfValues(found: readonly number[]): { labels: LabelRule; understood: string[] } {
  const others = found.filter((value) => value !== unlabelled);
  const isThere = others.length < found.length;
  const isIgnored = isThere && others.length >= 2 && others.at(-1)! < grayStep * others.length;
  const classes = (isIgnored ? others : found).map((value, label) => ({ name: String(value), label }));
  const values = classes.map(({ name }): [string, string | null] => [name, name]);
  if (isIgnored) values.push([String(unlabelled), null]);
  return {
    labels: { from: 'mask', classes, values: { '*': Object.fromEntries(values) } },
    understood: isThere ? [isIgnored ? takenAsIgnored : takenAsClass] : [],
  };
}

const takenAsIgnored =
  'Pixels of the mask value 255 are taken as not annotated: they are ignored. If 255 is a class, map it to one in a definition ' +
  '(pathlab init).';
const takenAsClass =
  'The mask value 255 is taken for a class. If its pixels are not annotated, map it to null in a definition (pathlab init).';

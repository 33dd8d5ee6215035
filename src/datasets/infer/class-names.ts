import { sha256 } from '../../base/index.js';
import type { DatasetClass } from '../definition.js';
import { isFileName } from '../schema.js';

/** More are unlikely to be classes: measurements, or names of single patches. */
const maxClasses = 256;

/**
 * Makes class names from labels: characters that file names cannot have become hyphens. They are sorted as numbers if
 * all are numbers, else as text. Labels that differ only in case are one class.
 *
 * @param where names the place of the words for the error
 * @throws Error for too many labels
 */
export function classesOf(words: readonly string[], where: string) {
  const distinct = [...new Map(words.map((word) => [word.toLowerCase(), word])).values()];
  const areNumbers = distinct.every((word) => Number.isFinite(Number(word)));
  distinct.sort((one, other) => (areNumbers && Number(one) - Number(other)) || (one < other ? -1 : 1));
  if (distinct.length > maxClasses) {
    throw new Error(
      `${where} has ${distinct.length} different values, more than the ${maxClasses} that may be classes, such as ` +
        `${distinct.slice(0, 3).join(', ')}. Remove it, or write a definition that maps its values to classes`,
    );
  }
  const values = Object.fromEntries(distinct.map((word) => [word, nameOf(word, distinct)]));
  const classes = distinct.map((word, label): DatasetClass => ({ name: values[word]!, label }));
  const renamed = distinct.filter((word) => values[word] !== word);
  return { classes, values, renamed };
}

function nameOf(word: string, all: readonly string[]): string {
  if (isFileName(word)) return word;
  const plain = plainName(word);
  const isTaken = all.some((other) => other !== word && plainName(other).toLowerCase() === plain.toLowerCase());
  return isTaken || plain === 'class' ? `${plain}-${sha256(word).slice(0, 8)}` : plain;
}

function plainName(word: string): string {
  if (isFileName(word)) return word;
  const plain = word
    .replace(/[^A-Za-z0-9._]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .slice(0, 100);
  const named = /^[A-Za-z0-9]/.test(plain) ? plain : `class-${plain.replace(/^[^A-Za-z0-9]+/, '')}`;
  return named.replace(/-+$/, '');
}

import { quantity } from './quantity.js';
import type { CodedColumn, ShardDataset } from './shard-dataset.js';

/** Maximum number of class names; of patients, failures and the like, three examples are named. */
const maxClasses = 30;

/**
 * The contents of a compiled dataset in sentences: classes, patients, a given split, masks, licence, and what is
 * missing.
 *
 * @param groupColumn the table's column that replaces patients, if no column names them
 */
export function describeData(dataset: ShardDataset, groupColumn?: string): string[] {
  const { report, count, size, mask, synthetic, sites, splits } = dataset;
  const drawn = synthetic.reduce((sum, one) => sum + one, 0);
  const masks = countWhere(count, (row) => mask.length[row]! > 0);
  const sentences = [`${patchesOf(count)} of ${size} x ${size} px.`];
  if (drawn > 0) {
    const which = drawn === count ? 'All' : `Of them ${drawn.toLocaleString('en')}`;
    sentences.push(`${which} are SYNTHETIC: drawn by a program, not from patients.`);
  }
  sentences.push(...describeClasses(dataset));
  if (masks > 0) {
    const which = masks === count ? 'each patch' : patchesOf(masks);
    sentences.push(`Masks of these classes: ${which}. A patch has the class that covers most of it.`);
    sentences.push(...describeIgnored(dataset));
  }
  sentences.push(...describePatients(dataset, groupColumn));
  if (sites.names.length > 0)
    sentences.push(`${quantity(sites.names.length, 'site')}, such as ${someOf(sites.names)}.`);
  if (splits) sentences.push(`The data have their own split: ${describeCounts(splits.names, countsOf(splits))}.`);
  const { licence, failures, excluded, precut } = report;
  sentences.push(
    licence === 'not stated' ? 'Licence, origin and citation are not stated.' : `The licence is ${licence}.`,
  );
  if (failures.length > 0) {
    const [first] = failures;
    const what = precut ? patchesOf(failures.length) : quantity(failures.length, 'slide');
    sentences.push(`Failed: ${what}, first ${first!.slide}: ${first!.reason}.`);
  }
  for (const { reason, slides, examples } of excluded.slice(0, 3)) {
    sentences.push(`Excluded: ${slides.toLocaleString('en')} (${someOf(examples)}): ${reason}.`);
  }
  if (excluded.length > 3) sentences.push(`Excluded for ${excluded.length - 3} more reasons: see report.json.`);
  return sentences;
}

function describeClasses({ count, labels, classNames }: ShardDataset): string[] {
  const counts = countsOf({ codes: labels, names: classNames });
  const unlabelled = count - counts.reduce((sum, patches) => sum + patches, 0);
  if (unlabelled === count) return ['No patch has a class.'];
  const more = classNames.length > maxClasses ? `, and ${classNames.length - maxClasses} more` : '';
  const names = describeCounts(classNames.slice(0, maxClasses), counts);
  const sentence = `${quantity(classNames.length, 'class', 'classes')}: ${names}${more}.`;
  return unlabelled > 0 ? [sentence, `Without a class: ${patchesOf(unlabelled)}.`] : [sentence];
}

/** Which mask values do not count, and how many pixels that are. */
function describeIgnored({ report: { ignoredMaskValues }, classNames, index, count, mask }: ShardDataset): string[] {
  if (!ignoredMaskValues) return [];
  const shares = classNames.map((name) => index.column(`share_${name}`)!);
  let [masks, ignored] = [0, 0];
  for (let row = 0; row < count; row++) {
    if (mask.length[row] === 0) continue;
    masks++;
    ignored += 1 - shares.reduce((sum, share) => sum + Number(share.at(row)), 0);
  }
  const share = ((100 * ignored) / masks).toFixed(1);
  return [`Pixels of the mask value ${ignoredMaskValues.join(', ')} are ignored: ${share} % of all pixels.`];
}

function describePatients(
  { count, patients: { codes, names } }: ShardDataset,
  groupColumn: string | undefined,
): string[] {
  if (names.length === 0) {
    return [
      'No patient is known. A split cannot keep the patches of a patient together, so metrics on held-out patches may be ' +
        'too good.',
    ];
  }
  const known =
    groupColumn === undefined
      ? quantity(names.length, 'patient')
      : `${quantity(names.length, 'value')} of "${groupColumn}" instead of patients`;
  const sentences = [`${known}, such as ${someOf(names)}.`];
  const unknown = countWhere(count, (row) => codes[row]! < 0);
  if (unknown > 0) sentences.push(`Without a patient: ${patchesOf(unknown)}.`);
  if (names.length === count - unknown && names.length > 1) {
    sentences.push('EVERY PATCH HAS ITS OWN PATIENT: if that is wrong, name another column.');
  }
  return sentences;
}

function countsOf({ codes, names }: CodedColumn): number[] {
  const counts = names.map(() => 0);
  for (const code of codes) if (code >= 0) counts[code]!++;
  return counts;
}

function countWhere(count: number, holds: (row: number) => boolean): number {
  let found = 0;
  for (let row = 0; row < count; row++) if (holds(row)) found++;
  return found;
}

function describeCounts(names: readonly string[], counts: readonly number[]): string {
  return names.map((name, place) => `${name} (${counts[place]!.toLocaleString('en')})`).join(', ');
}

function someOf(names: readonly string[]): string {
  return names.slice(0, 3).join(', ');
}

function patchesOf(count: number): string {
  return quantity(count, 'patch', 'patches');
}

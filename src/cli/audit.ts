import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { key, writeFileAtomic } from '../base/index.js';
import {
  type AuditedImages,
  auditGivenSplit,
  auditRules,
  auditText,
  type GroupBy,
  type GroupKey,
  type ImageFacts,
  imagesOfFolder,
  imagesOfShards,
  imagesOfTable,
  leakTable,
  type RuleAudits,
  readReport,
  type SplitRule,
  similarNames,
} from '../datasets/index.js';
import type { NamedAudit } from '../report/audit-page.js';
import { interruptible, parseOptions, seedOf, wholeNumber } from './options.js';
import { UsageError } from './usage-error.js';

const help = `pathlab audit WHERE [options]

Checks a split for leaks: patients, slides or sites (--apart) and exact duplicates across splits. It also lists pairs of
images across splits that look alike; with --apart near they count as leaks. WHERE is
  a folder that \`pathlab compile\` wrote  its table's split, else its definition's rule or --by
  a folder of images                     with subfolders named train, val or validation, test, and no others
  a table (.csv) of images               with the columns path and split, and optionally id, slide, patient, site

  --apart LIST       what may not be across splits: slide, patient, site, near (similar images), separated by commas;
                     none: exact duplicates only (patient)
  --distance N       images look alike if their hashes differ in at most N of 256 bits (24)
  --patient PATTERN  regular expression with one group that finds the patient in an image's path
  --report FILE      writes all findings: .json, or .html with the images of each pair side by side
for a compiled dataset:
  --by WHAT          what the split keeps together: slide, patient, patient-and-duplicates (patients that share an image
                     count as one), site; by default the definition's
  --validation X, --test X, --folds N   fractions and folds; by default the definition's
  --seed TEXT        seed of the split (1234)
  --max-images N     compares at most about N images, the same number of each slide (100000). Patients, slides and sites
                     are always checked for all images, exact duplicates only among the compared ones

Names of patients, slides and sites are compared as given. Names that differ only in case, zeros before a number or a ".0"
count as different; a warning lists them.

The exit code is 0 if there is no leak; 2 if there is one, or if this is unknown for some images (no patient is known, or not
all were compared); and 1 if the audit failed.
`;

/**
 * The command `pathlab audit`.
 *
 * @param args what follows `audit` on the command line
 * @returns the exit code: 0, 2 when the split leaks, or 130 when it was interrupted
 * @throws UsageError with a message for the user
 */
export async function audit(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(args);
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [where, ...others] = positionals;
  if (where === undefined || others.length > 0)
    throw new UsageError('audit takes one WHERE (see pathlab audit --help)');
  const report = values.report === undefined ? undefined : resolve(values.report);
  if (report !== undefined && !/\.(json|html)$/.test(report)) {
    throw new UsageError(`--report takes a .json or .html file; got "${values.report}"`);
  }
  const { apart, near } = apartOf(values.apart ?? 'patient');
  const distance = wholeNumber('distance', values.distance, 0);
  if (distance !== undefined && distance > 255)
    throw new UsageError(`--distance takes 0 to 255 bits; got "${distance}"`);
  return interruptible(
    'audit',
    async (signal) => {
      const { audited, audits } = await auditsOf(where, values, { apart, near, distance, signal });
      const warnings = [...apart.flatMap((what) => namesWarning(audited, what)), ...(await knownOf(where))];
      for (const { name, audit: found } of audits) {
        console.log(`${name}: ${auditText(found, warnings)}`);
        const placed = Object.values(found.counts).reduce((sum, count) => sum + count, 0);
        if (placed < audited.total) {
          console.log(
            `  ${audited.total - placed} images are in no split, because the split's group is unknown for them`,
          );
        }
        const leaks = leakTable(found).objects() as Record<string, string>[];
        for (const leak of leaks.slice(0, 10)) {
          console.log(`  ${leak.kind} ${leak.value}: ${leak.splits} (${leak.examples})`);
        }
        if (leaks.length > 10) console.log(`  and ${leaks.length - 10} more`);
      }
      const { auditPage, comparedText } = await import('../report/audit-page.js');
      console.log(comparedText(audited));
      for (const warning of warnings) console.log(`Warning: ${warning}`);
      if (report?.endsWith('.html')) await writeFileAtomic(report, await auditPage(audited, audits, warnings));
      else if (report) {
        const found = audits.map(({ name, audit: each }) => ({ name, ...each }));
        const facts = {
          name: audited.name,
          compared: audited.images.length,
          total: audited.total,
          warnings,
          audits: found,
        };
        await writeFileAtomic(report, `${JSON.stringify(facts, null, 2)}\n`);
      }
      if (report) console.log(report);
      return audits.every((each) => each.audit.clean) ? 0 : 2;
    },
    'it saves nothing; run it again to start over',
  );
}

interface AuditSettings {
  apart: readonly GroupKey[];
  near: boolean;
  distance: number | undefined;
  signal: AbortSignal;
}

/** Options for compiled datasets only. */
const forCompiled = ['by', 'validation', 'test', 'folds', 'seed', 'max-images'] as const;

async function auditsOf(
  where: string,
  values: ReturnType<typeof parsed>['values'],
  { apart, near, distance, signal }: AuditSettings,
): Promise<{ audited: AuditedImages; audits: NamedAudit[] }> {
  const stat = statSync(where, { throwIfNoEntry: false });
  if (!stat) throw new UsageError(`there is no folder or table ${where}`);
  if (stat.isDirectory() && existsSync(join(where, 'index.arrow'))) {
    if (values.patient !== undefined) {
      throw new UsageError('--patient is for folders and tables of images; a compiled dataset has its own patients');
    }
    const rule = await ruleOf(where, values);
    const by = groupByOf(values.by ?? rule.by);
    const maxImages = wholeNumber('max-images', values['max-images']);
    const settings = { by: [by], apart, near, distance, key: key(seedOf(values.seed ?? '1234')) };
    const splitsAnew = forCompiled.some((name) => name !== 'max-images' && values[name] !== undefined);
    let isGiven = false;
    const check = (patches: readonly ImageFacts[]) => {
      requireKnown(patches, apart, notInShards);
      const without = patches.filter(({ split }) => split === null).length;
      isGiven = without < patches.length && !splitsAnew;
      if (!isGiven) {
        requireDivisible(patches, by);
        refuseImpossible(
          auditRules({ name: where, images: [], unread: patches, total: patches.length }, rule, settings),
        );
      } else if (without > 0) {
        throw new UsageError(
          `${without} patches are in no split; assign each to a split, or make another split with --by`,
        );
      }
    };
    const audited = await imagesOfShards(where, { maxImages, signal, check, onProgress: progressLogger('shards') });
    if (isGiven) return { audited, audits: [givenSplitAudit(audited, { apart, near, distance })] };
    const found = auditRules(audited, rule, settings);
    refuseImpossible(found);
    const audits = found.folds.map((each) => ({
      name: `by ${each.by}, fold ${each.fold} of ${each.folds}`,
      audit: each.audit,
    }));
    return { audited, audits };
  }
  const wrong = forCompiled.find((name) => values[name] !== undefined);
  if (wrong) throw new UsageError(`--${wrong} is for a compiled dataset; ${where} is not one`);
  if (!stat.isDirectory() && !/\.csv$/i.test(where)) {
    throw new UsageError(`${where} is neither a folder nor a table (.csv)`);
  }
  const check = (images: readonly ImageFacts[]) => requireKnown(images, apart, notInImages);
  const options = { patientPattern: patternOf(values.patient), check, signal, onProgress: progressLogger('images') };
  const audited = await (stat.isDirectory() ? imagesOfFolder : imagesOfTable)(where, options);
  return { audited, audits: [givenSplitAudit(audited, { apart, near, distance })] };
}

/** Why the groups of a compiled dataset may not be patients. */
async function knownOf(where: string): Promise<string[]> {
  if (!existsSync(join(where, 'index.arrow'))) return [];
  const { split } = await readReport(where);
  return split.warning === undefined ? [] : [split.warning.replace(/\.$/, '')];
}

function givenSplitAudit(
  audited: AuditedImages,
  settings: Pick<AuditSettings, 'apart' | 'near' | 'distance'>,
): NamedAudit {
  return { name: 'existing split', audit: auditGivenSplit(audited, settings) };
}

/** The definition's rule, overridden by options. */
async function ruleOf(folder: string, values: ReturnType<typeof parsed>['values']): Promise<SplitRule> {
  const { split } = await readReport(folder);
  const share = (name: 'validation' | 'test') => {
    const text = values[name];
    if (text === undefined) return split[name];
    if (/^(0|0?\.\d+)$/.test(text)) return Number(text);
    throw new UsageError(`--${name} takes a fraction from 0 to below 1; got "${text}"`);
  };
  const folds = wholeNumber('folds', values.folds) ?? split.folds;
  return { ...split, validation: share('validation'), test: share('test'), folds };
}

const groupings: Readonly<Record<string, GroupBy>> = {
  slide: 'slide',
  patient: 'patient',
  'patient-and-duplicates': 'patient and duplicates',
  site: 'site',
};

function groupByOf(word: string): GroupBy {
  const by = Object.hasOwn(groupings, word) ? groupings[word] : undefined;
  if (by) return by;
  throw new UsageError(`--by takes ${Object.keys(groupings).join(', ')}; got "${word}"`);
}

function apartOf(list: string): { apart: GroupKey[]; near: boolean } {
  const words = list === 'none' ? [] : list.split(',').map((word) => word.trim());
  const known = ['slide', 'patient', 'site', 'near'];
  const wrong = words.find((word) => !known.includes(word));
  if (wrong !== undefined) throw new UsageError(`--apart takes ${known.join(', ')}, or none; got "${wrong}"`);
  return { apart: words.filter((word) => word !== 'near') as GroupKey[], near: words.includes('near') };
}

function patternOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    if (new RegExp(`${text}|`).exec('')!.length === 2) return new RegExp(text);
  } catch {}
  throw new UsageError(`--patient takes a regular expression with one group; got "${text}"`);
}

/** @throws UsageError if no image has one of the groups */
function requireKnown(
  images: readonly ImageFacts[],
  apart: readonly GroupKey[],
  message: (what: GroupKey) => string,
): void {
  const missing = apart.find((what) => images.every((image) => image[what] === null));
  if (missing !== undefined) throw new UsageError(`${message(missing)}, or leave ${missing} out of --apart`);
}

function notInImages(what: GroupKey): string {
  const help = what === 'patient' ? ': name a pattern with --patient that finds it in the paths,' : ':';
  return `no image has a ${what}${help} give a table with the column "${what}"`;
}

function notInShards(what: GroupKey): string {
  return (
    `the shards have no ${what}s. Name each ${what} in the definition's ` +
    `source (a table's columns.${what}${what === 'patient' ? ", or a folder's patientPattern" : ''}) and compile again`
  );
}

/** @throws UsageError if no patch has the split's group */
function requireDivisible(patches: readonly ImageFacts[], by: GroupBy): void {
  const what = by === 'patient and duplicates' ? 'patient' : by;
  if (patches.some((patch) => patch[what] !== null)) return;
  throw new UsageError(`${notInShards(what)}, or split by another group (--by slide)`);
}

function refuseImpossible({ impossible }: RuleAudits): void {
  for (const { reason } of impossible) throw new UsageError(reason);
}

/** Prints progress, once a second. */
function progressLogger(what: string): (done: number, total: number) => void {
  let last = Date.now();
  return (done, total) => {
    if (Date.now() - last < 1000) return;
    last = Date.now();
    console.error(`${done} of ${total} ${what} compared`);
  };
}

/** Two spellings of one name hide a leak. */
function namesWarning({ images, unread }: AuditedImages, what: GroupKey): string[] {
  const pairs = similarNames([...images, ...unread].map((image) => image[what]));
  if (pairs.length === 0) return [];
  const named = pairs.slice(0, 5).map((ways) => ways.join(' and '));
  const more = pairs.length > 5 ? `, and ${pairs.length - 5} more` : '';
  return [
    `${what}s whose names differ only in case, zeros before a number or a ".0" count as different: ${named.join('; ')}${more}. ` +
      `If such names mean one ${what}, spell them alike; otherwise the audit misses leaks between them`,
  ];
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  return parseOptions('audit', {
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      apart: text,
      distance: text,
      patient: text,
      report: text,
      by: text,
      validation: text,
      test: text,
      folds: text,
      seed: text,
      'max-images': text,
    },
  });
}

import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Apart,
  type AuditedPictures,
  auditGivenSides,
  auditRules,
  auditText,
  type CompileReport,
  type KeptTogether,
  leakTable,
  picturesOfFolder,
  picturesOfShards,
  picturesOfTable,
  type SplitRule,
} from '../datasets/index.js';
import type { NamedAudit } from '../report/audit-page.js';
import { key, writeFileAtomic } from '../runs/index.js';
import { interruptible, seedOf, wholeNumber } from './options.js';
import { UsageError } from './usage-error.js';

const help = `pathlab audit WHERE [options]

Proves that what must be apart is apart: that no patient, slide or site (as asked) and no picture's very bytes are on two
sides of a split; and lists the pictures on two sides that look alike. WHERE is
  a folder that \`pathlab compile\` made   as its table divides it, else by its definition's rule or --by
  a folder of pictures                  with a folder for each side in it: train, val or validation, test
  a table (.csv) of pictures            with the columns path and side, and those of id, slide, patient, site there are

  --apart LIST       what must be apart: slide, patient, site, near (pictures that look alike), with commas; none: the
                     same bytes alone (patient)
  --distance N       pictures look alike whose hashes differ in at most N of 256 bits (24)
  --patient PATTERN  finds the patient in a picture's path: a regular expression with one group
  --report FILE      writes all that was found: .json, or .html with the pictures of each pair side by side
of a compiled dataset:
  --by WHAT          kept on one side: slide, patient, patient-and-doubles (patients that share a picture count as one),
                     site; by default the definition's
  --validation X, --test X, --folds N   shares and folds; by default the definition's
  --seed TEXT        decides the draws (1234)
  --most N           reads and compares at most about N pictures, as many of each slide (100000); patients, slides and
                     sites are those of all, but with fewer than all it is not known that no bytes are on two sides

The exit code is 0 when nothing that must be apart is on two sides, 2 when something is, or is not known to be apart, and
1 when that could not be found out.
`;

/**
 * The command `pathlab audit`.
 *
 * @param words what follows `audit` on the command line
 * @returns the exit code: 0, 2 when the split leaks, or 130 when it was interrupted
 * @throws UsageError with what a user can act on
 */
export async function audit(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseWords(words);
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
  return interruptible('audit', async (signal) => {
    const { audited, audits } = await auditsOf(where, values, { apart, distance, signal });
    requireKnown(audited, apart);
    for (const { name, audit: found } of audits) {
      console.log(`${name}: ${auditText(found)}`);
      const leaks = leakTable(found).objects() as Record<string, string>[];
      for (const leak of leaks.slice(0, 10)) {
        console.log(`  ${leak.kind} ${leak.value}: ${leak.sides} (${leak.examples})`);
      }
      if (leaks.length > 10) console.log(`  and ${leaks.length - 10} more`);
    }
    const { auditPage, comparedText } = await import('../report/audit-page.js');
    console.log(comparedText(audited));
    if (report?.endsWith('.html')) await writeFileAtomic(report, await auditPage(audited, audits));
    else if (report) {
      const found = audits.map(({ name, audit: each }) => ({ name, ...each }));
      const facts = { name: audited.name, compared: audited.pictures.length, total: audited.total, audits: found };
      await writeFileAtomic(report, `${JSON.stringify(facts, null, 2)}\n`);
    }
    if (report) console.log(report);
    return audits.every((each) => each.audit.clean && !(near && each.audit.nearDuplicates.length > 0)) ? 0 : 2;
  });
}

interface Asked {
  apart: readonly Apart[];
  distance: number | undefined;
  signal: AbortSignal;
}

/** Options that are for one kind of WHERE only. */
const forCompiled = ['by', 'validation', 'test', 'folds', 'seed', 'most'] as const;

async function auditsOf(
  where: string,
  values: ReturnType<typeof parseWords>['values'],
  { apart, distance, signal }: Asked,
): Promise<{ audited: AuditedPictures; audits: NamedAudit[] }> {
  const stat = statSync(where, { throwIfNoEntry: false });
  if (!stat) throw new UsageError(`there is no folder or table ${where}`);
  if (stat.isDirectory() && existsSync(join(where, 'index.arrow'))) {
    if (values.patient !== undefined) {
      throw new UsageError('--patient is for pictures of your own: a compiled dataset says of which patient each is');
    }
    const rule = await ruleOf(where, values);
    const by = divisionOf(values.by ?? rule.by);
    const most = wholeNumber('most', values.most);
    const audited = await picturesOfShards(where, { most, signal });
    const dividesAnew = forCompiled.some((name) => name !== 'most' && values[name] !== undefined);
    const all = [...audited.pictures, ...audited.unread];
    const without = all.filter(({ side }) => side === null).length;
    if (!dividesAnew && without < all.length) {
      if (without === 0) return { audited, audits: [asDivided(audited, { apart, distance })] };
      throw new UsageError(
        `${without} patches are on no side, and others are: put each on one, or divide anew with --by`,
      );
    }
    const found = auditRules(audited, rule, { by: [by], apart, distance, key: key(seedOf(values.seed ?? '1234')) });
    for (const { reason } of found.impossible) throw new UsageError(reason);
    const audits = found.folds.map((each) => ({
      name: `by ${each.by}, fold ${each.fold} of ${each.folds}`,
      audit: each.audit,
    }));
    return { audited, audits };
  }
  const wrong = forCompiled.find((name) => values[name] !== undefined);
  if (wrong) throw new UsageError(`--${wrong} is for a compiled dataset: ${where} is divided already, or is not one`);
  if (!stat.isDirectory() && !/\.csv$/i.test(where)) {
    throw new UsageError(`${where} is neither a folder nor a table (.csv)`);
  }
  const options = { patientPattern: patternOf(values.patient), signal };
  const audited = await (stat.isDirectory() ? picturesOfFolder : picturesOfTable)(where, options);
  return { audited, audits: [asDivided(audited, { apart, distance })] };
}

function asDivided(audited: AuditedPictures, asked: Pick<Asked, 'apart' | 'distance'>): NamedAudit {
  return { name: 'as it is divided', audit: auditGivenSides(audited, asked) };
}

/** The definition's rule, with what the user wants otherwise. */
async function ruleOf(folder: string, values: ReturnType<typeof parseWords>['values']): Promise<SplitRule> {
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Partial<CompileReport>;
  if (!report.split) {
    throw new UsageError(
      `${folder} was compiled before reports held their split rule; compile it again, which keeps its shards`,
    );
  }
  const share = (name: 'validation' | 'test') => {
    const text = values[name];
    if (text === undefined) return report.split![name];
    if (/^(0|0?\.\d+)$/.test(text)) return Number(text);
    throw new UsageError(`--${name} takes a share from 0 to below 1; got "${text}"`);
  };
  const folds = wholeNumber('folds', values.folds) ?? report.split.folds;
  return { ...report.split, validation: share('validation'), test: share('test'), folds };
}

const divisions: Readonly<Record<string, KeptTogether>> = {
  slide: 'slide',
  patient: 'patient',
  'patient-and-doubles': 'patient and doubles',
  site: 'site',
};

function divisionOf(word: string): KeptTogether {
  const division = Object.hasOwn(divisions, word) ? divisions[word] : undefined;
  if (division) return division;
  throw new UsageError(`--by takes ${Object.keys(divisions).join(', ')}; got "${word}"`);
}

function apartOf(list: string): { apart: Apart[]; near: boolean } {
  const words = list === 'none' ? [] : list.split(',').map((word) => word.trim());
  const known = ['slide', 'patient', 'site', 'near'];
  const wrong = words.find((word) => !known.includes(word));
  if (wrong !== undefined) throw new UsageError(`--apart takes ${known.join(', ')}, or none; got "${wrong}"`);
  return { apart: words.filter((word) => word !== 'near') as Apart[], near: words.includes('near') };
}

function patternOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    if (new RegExp(`${text}|`).exec('')!.length === 2) return new RegExp(text);
  } catch {}
  throw new UsageError(`--patient takes a regular expression with one group; got "${text}"`);
}

/** What no picture says cannot be proven of any. */
function requireKnown({ pictures }: AuditedPictures, apart: readonly Apart[]): void {
  for (const what of apart) {
    if (pictures.some((picture) => picture[what] !== null)) continue;
    const help = what === 'patient' ? ': name a pattern with --patient that finds it in the paths,' : ':';
    throw new UsageError(
      `no picture says of which ${what} it is${help} give a table with the column "${what}", or leave ${what} out of --apart`,
    );
  }
}

function parseWords(words: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...words],
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
        most: text,
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message} (see pathlab audit --help)`);
  }
}

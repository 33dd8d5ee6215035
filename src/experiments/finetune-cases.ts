import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, sha256, writeFileAtomic } from '../base/index.js';
import { groupsOf, type Unit } from '../evaluate/index.js';
import type { BatchSource } from '../input/index.js';

/** What metrics of predictions must know of the patches that were predicted. */
export interface PredictedCases {
  classNames: readonly string[];
  unit: Unit;
  /** Class of each, -1 for none. */
  labels: Int32Array;
  /** Patient of each, or what stands for it. */
  patients: readonly string[];
}

export function casesOf(source: BatchSource, unit: Unit): PredictedCases {
  const { names: patients } = groupsOf(source, unit);
  return { classNames: source.dataset.classNames, unit, labels: source.labels, patients };
}

/** Where a run keeps them of its test patches. */
export const casesFile = 'test-cases.json';

/**
 * The test patches of a run, so that its predictions can be judged where the data are not. Patients have numbers in the order
 * of their names, not names.
 */
export interface KeptCases {
  unit: Unit;
  classNames: readonly string[];
  labels: readonly number[];
  /** Of each patch. */
  patientOf: readonly number[];
  /** Of each patient; null for one of an unknown or of several. */
  sites: readonly (string | null)[];
  /** How many training patients' labels the run used, and of how many. */
  labelled: number;
  available: number;
}

export async function keepCases(
  path: string,
  test: BatchSource,
  { unit, labelled, available }: Pick<KeptCases, 'unit' | 'labelled' | 'available'>,
): Promise<void> {
  const { sites: column } = test.dataset;
  const { labels, patients, classNames } = casesOf(test, unit);
  const names = [...new Set(patients)].sort();
  const places = new Map(names.map((name, place) => [name, place]));
  const sitesOf = names.map(() => new Set<string | null>());
  const patientOf = patients.map((name) => places.get(name)!);
  for (const [place, row] of test.rows.entries()) {
    sitesOf[patientOf[place]!]!.add(column.names[column.codes[row]!] ?? null);
  }
  const sites = sitesOf.map((own) => (own.size === 1 ? [...own][0]! : null));
  const kept: KeptCases = { unit, classNames, labels: [...labels], patientOf, sites, labelled, available };
  await writeFileAtomic(path, JSON.stringify(kept));
}

/** @throws Error if the run has none */
export function readCases(folder: string): KeptCases {
  const path = join(folder, casesFile);
  if (!existsSync(path)) throw new Error(`it keeps no ${casesFile}: an earlier version of pathlab made it`);
  return JSON.parse(readFileSync(path, 'utf8')) as KeptCases;
}

/** Cases as metrics take them; the names of patients are their numbers, in the same order as the names were. */
export function predictedCases({ classNames, unit, labels, patientOf, sites }: KeptCases): PredictedCases {
  const digits = String(sites.length).length;
  const patients = patientOf.map((number) => String(number).padStart(digits, '0'));
  return { classNames, unit, labels: Int32Array.from(labels), patients };
}

/** Equal for runs that were judged on the same patches of the same patients, with the same labels. */
export function digestOfCases({ classNames, unit, labels, patientOf, sites }: KeptCases): string {
  return sha256(canonicalJson({ classNames, unit, labels, patientOf, sites }));
}

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { digestOfFile, key, projectRoot } from '../base/index.js';
import {
  type CohortKind,
  type CompiledDataset,
  type DatasetDefinition,
  dataFacts,
  knownNames,
  nameData,
  type PlantedLeak,
  type ResolvedDataset,
  readDefinition,
  resolveDataset,
  type SlideDataset,
  type SplitRule,
  type SyntheticDatasetOptions,
  slidesOnDisk,
  subjectOf,
  syntheticDataset,
} from '../datasets/index.js';
import type { SiteLeakage } from '../evaluate/index.js';
import type { Metric, RunResult } from '../runs/index.js';
import type { Scale } from './pretrain-recipe.js';

/** What the parameters cell of notebooks 01 to 03 gives. */
export interface CompileParameters {
  scale: Scale;
  /** Of the synthetic slides. */
  seed: number;
  /**
   * Uncompiled data, as `nameData` takes it; by default the page's definition, at the small scales with synthetic
   * slides.
   */
  data?: string;
  /** Folder with the user's downloads, for real data; relative paths start at the project's folder. */
  from?: string;
}

/** The experiment of a compile notebook. */
export interface CompileExperiment {
  definition: DatasetDefinition;
  /** Its name or file. */
  definitionPath: string;
  /** How the user's folder or table was interpreted, in sentences. */
  understood: readonly string[];
  /** Synthetic slides that replace the definition's own; null for its own. */
  synthetic: SyntheticDatasetOptions | null;
  seed: number;
  from: string | undefined;
  /** Fractions of the audited splits, instead of the definition's. */
  shares: Partial<Pick<SplitRule, 'validation' | 'test'>>;
}

/** The paper's 2 % and 1 % of a small cohort would be a slide or two, too few to show leaks. */
const smallShares = { validation: 0.2, test: 0.1 };

/** Every step, on a few slides of two by two patches; three folds need seven slides. */
const smoke: Partial<Record<CohortKind, Omit<SyntheticDatasetOptions, 'kind'>>> = {
  ptcga200: { patients: 3, classes: 4, columns: 2, rows: 2, leaks: { exact: 1, near: 1 } },
  pcam200: { patients: 4, columns: 3, rows: 3, leaks: { near: 1 } },
  segpanda200: { patients: 7, columns: 2, rows: 1, leaks: { near: 1 } },
};

const demo: typeof smoke = {
  ptcga200: { patients: 3, slidesPerPatient: 2, columns: 3, rows: 2, leaks: { exact: 1, near: 2, rescanned: 1 } },
  pcam200: { patients: 5, slidesPerPatient: 2, columns: 5, rows: 4, leaks: { exact: 1, near: 1, rescanned: 1 } },
  segpanda200: { patients: 8, slidesPerPatient: 2, columns: 6, rows: 2, leaks: { exact: 1, near: 1 } },
};

/**
 * The experiment of notebooks 01 to 03 at a scale.
 *
 * @param kind the page's definition
 * @throws Error for conflicting parameters, for data that cannot be interpreted, and for missing downloads
 */
export async function compileExperiment(
  kind: CohortKind,
  { scale, seed, data, from }: CompileParameters,
): Promise<CompileExperiment> {
  if (scale !== 'smoke' && scale !== 'demo' && scale !== 'paper') {
    throw new RangeError(`scale is smoke, demo or paper; got ${JSON.stringify(scale)}`);
  }
  if (data === undefined && scale !== 'paper') {
    if (from !== undefined) {
      throw new RangeError(`from is for real data; scale "${scale}" draws its own slides, unless data names a dataset`);
    }
    const synthetic = { kind, ...{ smoke, demo }[scale][kind]! };
    const definition = readDefinition(kind);
    return { definition, definitionPath: kind, understood: [], synthetic, seed, from, shares: smallShares };
  }
  const named = await nameData(data ?? kind);
  if (named.kind === 'shards') {
    throw new Error(`${data} is already compiled; this page needs the source data`);
  }
  const { definition: definitionPath, understood } = named;
  const definition = readDefinition(definitionPath);
  const folder = from === undefined ? undefined : resolve(projectRoot, from);
  requireList(definition, folder);
  return { definition, definitionPath, understood, synthetic: null, seed, from: folder, shares: {} };
}

/** Notebooks do not contact sources: use the command, which shows the cost. */
function requireList({ name, source }: DatasetDefinition, from: string | undefined): void {
  const lock = join(projectRoot, 'data', name, 'source', 'lock.json');
  const isLocal = from !== undefined || ('folder' in source && source.folder !== null);
  if (isLocal || existsSync(lock)) return;
  throw new Error(
    `the files of ${name} are not here: there is no ${lock}. Download them with "npx --no-install pathlab fetch ${name}", or ` +
      'name the folder that holds them with the parameter from; scale "demo" without data draws synthetic slides',
  );
}

/** An experiment's slides on this machine, for `compileDataset`. */
export interface ExperimentDataset extends SlideDataset {
  /** Their list. */
  list: ResolvedDataset;
  /** Ids of slides that are missing. */
  missing: readonly string[];
  /** The leaks that an audit must find. */
  planted: readonly PlantedLeak[];
  /** The audited split rule: the definition's, with fractions that suit the number of slides. */
  split: SplitRule;
  /**
   * Output folder for `compileDataset`; undefined for the default. Shards of synthetic slides are beside their slides,
   * since datasets of different scales and seeds have the same name.
   */
  data: string | undefined;
}

/**
 * The slides of an experiment; synthetic ones are drawn first if needed.
 *
 * @throws Error when none is on this machine; InterruptedError when `signal` aborts
 */
export async function experimentDataset(
  { definitionPath, synthetic, seed, from, shares }: CompileExperiment,
  watch: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<ExperimentDataset> {
  const drawn = synthetic ? await syntheticDataset(synthetic, key(seed).fold('slides'), watch) : undefined;
  const list = await resolveDataset(drawn?.definitionPath ?? definitionPath, { from, signal: watch.signal });
  const { definition, lock } = list;
  const { ready, missing } = slidesOnDisk(list);
  if (ready.length === 0) {
    throw new Error(
      `none of the ${missing.length} ${definition.unit} of ${definition.name} is in ${list.folder} unchanged; ` +
        `"npx --no-install pathlab fetch ${definitionPath}" brings them`,
    );
  }
  return {
    definition,
    slides: ready,
    excluded: lock.excluded,
    listSha256: lock.listSha256,
    list,
    missing,
    planted: drawn?.leaks ?? [],
    split: { ...definition.split, ...shares },
    data: drawn && join(drawn.folder, 'shards'),
  };
}

/**
 * A compiled dataset's facts for `run.keep`, besides seed and device.
 *
 * @param also other slides that were read, and the site leakage if measured
 */
export async function compileFacts(
  { list, definition, slides }: ExperimentDataset,
  { folder, report }: CompiledDataset,
  also: { slides?: SlideDataset['slides']; leakage?: SiteLeakage | null } = {},
): Promise<Pick<RunResult, 'metrics' | 'data' | 'choices'>> {
  const { lock } = list;
  const { counts } = report;
  const about = `${subjectOf(report)}, ${report.precut ? 'precut patches' : `${report.slides.length} slides`}`;
  const patients = knownNames(counts.byPatient).length;
  // Precut patches are too many to list: the list's hash covers them.
  const { licence, origin, synthetic, listSha256: sha256 } = lock;
  const data = report.precut ? [{ name: definition.name, origin, licence, synthetic, sha256 }] : slides.map(dataFacts);
  return {
    metrics: [
      { name: 'patches', value: counts.patches, about },
      ...(patients > 0 ? [{ name: 'patients', value: patients, about }] : []),
      ...(also.leakage ? leakageMetrics(also.leakage, about) : []),
    ],
    data: [...data, ...(also.slides ?? []).map(dataFacts)],
    choices: {
      'settings of the shards': report.settingsHash,
      'SHA-256 of the definition': lock.definitionSha256,
      'SHA-256 of the list': lock.listSha256,
      'SHA-256 of the card': await digestOfFile(join(folder, 'CARD.md')),
    },
  };
}

function leakageMetrics({ questions, gap }: SiteLeakage, about: string): Metric[] {
  const percent = ({ value, low, high }: { value: number; low: number; high: number }) => ({
    value: 100 * value,
    interval: [100 * low, 100 * high] as const,
  });
  return [
    ...questions.map((question) => ({
      name: `${question.name}, by color only`,
      ...percent(question),
      unit: '%',
      about: `${about}; chance ${(100 * question.chance).toFixed(1)} %; ${question.method}`,
    })),
    {
      name: 'class, by color only: what the site adds',
      ...percent(gap),
      unit: 'percentage points',
      about: `${about}; difference of the two shares, of the same patches; ${gap.method}`,
    },
  ];
}

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
  /** What `nameData` takes and is not compiled; by default the page's definition, at the small scales of synthetic slides. */
  data?: string;
  /** Folder of files that the user downloaded, for real data; a relative path starts at the project's folder. */
  from?: string;
}

/** What a compile notebook works on. */
export interface CompileExperiment {
  definition: DatasetDefinition;
  /** Its name or file. */
  definitionPath: string;
  /** What was understood of the user's folder or table, in plain sentences. */
  understood: readonly string[];
  /** Synthetic slides in the definition's form that are compiled in place of its own; null: its own. */
  synthetic: SyntheticDatasetOptions | null;
  seed: number;
  from: string | undefined;
  /** Shares that splits are audited with, in place of the definition's. */
  shares: Partial<Pick<SplitRule, 'validation' | 'test'>>;
}

/** The paper's 2 % and 1 % of a small cohort would be a slide or two, on which nothing is seen to leak. */
const smallShares = { validation: 0.2, test: 0.1 };

/** Every step, on a few slides of two by two patches; three folds need seven of them. */
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
 * @throws Error for parameters that do not go together, for data that cannot be understood, and when its files have not been
 *   fetched
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
    throw new Error(`${data} is compiled already; this page takes what shards are compiled from`);
  }
  const { definition: definitionPath, understood } = named;
  const definition = readDefinition(definitionPath);
  const folder = from === undefined ? undefined : resolve(projectRoot, from);
  requireList(definition, folder);
  return { definition, definitionPath, understood, synthetic: null, seed, from: folder, shares: {} };
}

/** A notebook asks no source for its list: that is for a command which shows what it costs. */
function requireList({ name, source }: DatasetDefinition, from: string | undefined): void {
  const lock = join(projectRoot, 'data', name, 'source', 'lock.json');
  const isLocal = from !== undefined || ('folder' in source && source.folder !== null);
  if (isLocal || existsSync(lock)) return;
  throw new Error(
    `the files of ${name} are not here: there is no ${lock}. Get them with "npx --no-install pathlab fetch ${name}", or ` +
      'name the folder that holds them with the parameter from; scale "demo" without data draws synthetic slides',
  );
}

/** An experiment's slides that are on this machine, as `compileDataset` takes them. */
export interface ExperimentDataset extends SlideDataset {
  /** The list that they are of. */
  list: ResolvedDataset;
  /** Ids of the list's other slides. */
  missing: readonly string[];
  /** The leaks that an audit is to find. */
  planted: readonly PlantedLeak[];
  /** The split rule that is audited: the definition's own, with shares that the slides are enough for. */
  split: SplitRule;
  /**
   * Where `compileDataset` is to put the shards; undefined: where datasets lie. Those of synthetic slides lie beside them:
   * all of a kind have one name, and those of one scale or seed must not take the place of another's.
   */
  data: string | undefined;
}

/**
 * The slides of an experiment: synthetic ones are drawn first, or are there from before.
 *
 * @throws Error when none of them is on this machine; InterruptedError when `signal` aborts
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
      `none of the ${missing.length} ${definition.unit} of ${definition.name} is in ${list.folder} as it arrived; ` +
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
 * What `run.keep` takes of a compiled dataset, beside seed and device.
 *
 * @param also slides that were read beside the dataset's, and what its sites give away where that was measured
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
  // Precut patches are too many to be named one by one: the list's hash covers theirs.
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
      name: `${question.name}, by color alone`,
      ...percent(question),
      unit: '%',
      about: `${about}; guessing ${(100 * question.chance).toFixed(1)} %; ${question.method}`,
    })),
    {
      name: 'class, by color alone: what the site adds',
      ...percent(gap),
      unit: 'percentage points',
      about: `${about}; difference of the two shares, of the same patches; ${gap.method}`,
    },
  ];
}

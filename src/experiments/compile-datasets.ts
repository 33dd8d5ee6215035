import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CohortKind,
  type PlantedLeak,
  type ResolvedDataset,
  resolveDataset,
  type SplitRule,
  type SyntheticDatasetOptions,
  syntheticDataset,
} from '../datasets/index.js';
import { type Key, projectRoot } from '../runs/index.js';
import type { Scale } from './pretrain.js';

/** What the parameters cell of notebooks 01 to 03 gives. */
export interface CompileParameters {
  scale: Scale;
  /** Folder of files that the user downloaded, at paper scale. */
  from?: string;
}

/** What a compile notebook works on. */
export interface CompileExperiment {
  kind: CohortKind;
  /** The synthetic dataset to draw; null at paper scale. */
  synthetic: SyntheticDatasetOptions | null;
  /** Folder of files that the user downloaded, at paper scale. */
  from: string | undefined;
  /** Shares that splits are audited with, in place of the definition's. */
  shares: Partial<Pick<SplitRule, 'validation' | 'test'>>;
}

/** The paper's 2 % and 1 % of a small cohort would be a slide or two, on which nothing is seen to leak. */
const smallShares = { validation: 0.2, test: 0.1 };

/** Every step, on a few slides of two by two patches; a division in three folds needs seven of them. */
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
 * @throws Error at paper scale where the dataset's files have not been fetched
 */
export function compileExperiment(kind: CohortKind, { scale, from }: CompileParameters): CompileExperiment {
  if (scale === 'paper') {
    const lock = join(projectRoot, 'data', kind, 'source', 'lock.json');
    if (from === undefined && !existsSync(lock)) {
      throw new Error(
        `scale "paper" compiles the real ${kind}, whose files are not here: there is no ${lock}. Get them with ` +
          `"npx --no-install pathlab fetch ${kind}", or name the folder that holds them with the parameter from; ` +
          'scale "demo" draws synthetic slides in its form',
      );
    }
    return { kind, synthetic: null, from, shares: {} };
  }
  if (from !== undefined) throw new RangeError(`from is for scale "paper"; scale "${scale}" draws its own slides`);
  const options = { smoke, demo }[scale as 'smoke' | 'demo']?.[kind];
  if (!options) throw new RangeError(`scale is smoke, demo or paper; got ${JSON.stringify(scale)}`);
  return { kind, synthetic: { kind, ...options }, from, shares: smallShares };
}

/** The list of an experiment's slides. */
export interface ExperimentDataset extends ResolvedDataset {
  /** The leaks that an audit is to find among them. */
  planted: readonly PlantedLeak[];
  /**
   * Where `compileDataset` is to put the shards; undefined: where datasets lie. Those of synthetic slides lie beside them:
   * all of a kind have one name, and those of one scale or seed must not take the place of another's.
   */
  data: string | undefined;
}

/** The list of an experiment's slides: at the small scales they are drawn first, or are there from before. */
export async function experimentDataset(
  { kind, synthetic, from }: CompileExperiment,
  key: Key,
  watch: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<ExperimentDataset> {
  if (!synthetic) return { ...(await resolveDataset(kind, { from })), planted: [], data: undefined };
  const { definitionPath, folder, leaks } = await syntheticDataset(synthetic, key, watch);
  return { ...(await resolveDataset(definitionPath)), planted: leaks, data: join(folder, 'shards') };
}

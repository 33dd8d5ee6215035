import { canonicalJson, sha256 } from '../base/index.js';
import type { Run as ArmRun, PatientResults } from '../evaluate/index.js';
import type { ArmStart } from './finetune-run.js';
import { rowOf } from './results-rows.js';
import type { ResultRun } from './results-runs.js';

/** A fine-tuning, with the run that it is of. */
export interface GroupedTraining extends ArmRun<PatientResults> {
  run: ResultRun;
  /** Names its files in the run's folder. */
  name: string;
}

/** A training with the name of its arm in its run, and what all of that arm's weights have been through. */
export interface NamedTraining {
  arm: string;
  past: string;
  start: ArmStart;
  of: GroupedTraining;
}

/** What weights have been through: of pretrainings that are here, by their settings; of others, by their files. */
export function pastOf({ init, trainings, files }: ArmStart, all: readonly ResultRun[]): string {
  // Of a file, what is said of it may differ.
  if (trainings.length > 0 && !trainings[0]?.run) return canonicalJson([null, Object.values(files).sort()]);
  let known = true;
  const past = trainings.map((training) => {
    const run = training?.run && all.find(({ provenance }) => provenance.runHash === training.run!.runHash);
    known &&= training !== null && (training.run === undefined || run !== undefined);
    if (!training) return null;
    // Data and what it began with are said beside it, by their hashes.
    const { seed: _, data: __, init: ___, ...parameters } = run?.parameters ?? {};
    const { notebook, scale } = training.run ?? {};
    const data = training.data.map(({ name, sha256 }) => sha256 ?? name);
    return { notebook, scale, parameters, data, splits: training.splits };
  });
  return canonicalJson(known ? past : [init === 'random' ? init : null, past, Object.values(files).sort()]);
}

/**
 * Arms with names of their own: weights have one name, whatever their runs call them; it says what pretraining at another
 * scale is, and tells other weights of the same name apart.
 */
export function namedArms(trainings: readonly NamedTraining[], scale: string): [string, GroupedTraining][] {
  const names = new Map<string, string[]>();
  for (const { arm, past, start } of trainings) {
    const scales = new Set(start.trainings.flatMap((each) => each?.run?.scale ?? []));
    const others = [...scales].filter((each) => each !== scale);
    const name = others.length > 0 ? `${arm} (pretrained at ${others.join(' and ')} scale)` : arm;
    names.set(past, [...(names.get(past) ?? []), name]);
  }
  const nameOf = new Map([...names].map(([past, of]) => [past, mostTelling(of)]));
  const all = [...nameOf.values()];
  return trainings.map(({ past, of }) => {
    const name = nameOf.get(past)!;
    const isShared = all.filter((other) => other === name).length > 1;
    return [isShared ? `${name} [${sha256(past).slice(0, 6)}]` : name, of];
  });
}

/** That of a row of the tables, and of several the one that tells most: `SimCLR (epochs 4)`, not `SimCLR` or a file's. */
function mostTelling(names: readonly string[]): string {
  const isRow = (name: string) => Number(rowOf(name) !== undefined);
  const [first] = [...names].sort(
    (one, other) => isRow(other) - isRow(one) || other.length - one.length || (one < other ? -1 : 1),
  );
  return first!;
}

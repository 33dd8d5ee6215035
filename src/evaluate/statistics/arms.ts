import type { MetricDefinition, PatientResults } from '../metrics/metric.js';

/** Results of one training run on the test patients. */
export interface Run<R extends PatientResults> {
  results: R;
  /** Undefined for a backbone that was not pretrained by a seed of ours. */
  pretrainingSeed?: number;
  fineTuningSeed?: number;
}

/** Runs of each arm, by name. */
export type Arms<R extends PatientResults> = Readonly<Record<string, readonly Run<R>[]>>;

/** A difference to test: of `arm` minus `against`, in a metric. */
export interface Comparison {
  arm: string;
  against: string;
  metric: string;
}

/** @throws RangeError unless all runs have the same classes and as many cases of the same patients, and other seeds */
export function checkArms<R extends PatientResults>(arms: Arms<R>): PatientResults {
  const runs = Object.entries(arms).flatMap(([arm, of]) => {
    if (of.length === 0) throw new RangeError(`arm "${arm}" has no runs`);
    return of.map((run, place) => ({ name: `run ${place + 1} of "${arm}"`, arm, ...run }));
  });
  const [first] = runs;
  if (!first) throw new RangeError('there are no arms to compare');
  const seeds = new Map<string, string>();
  for (const { name, arm, results, pretrainingSeed, fineTuningSeed } of runs) {
    const seed = JSON.stringify([arm, pretrainingSeed ?? null, fineTuningSeed ?? null]);
    const same = seeds.get(seed);
    if (same) throw new RangeError(`${same} and ${name} have the same seeds: they are one run, or a seed is missing`);
    seeds.set(seed, name);
    if (results.classNames.join() !== first.results.classNames.join()) {
      throw new RangeError(`${first.name} and ${name} have different classes`);
    }
    checkPatients(first, { name, results });
  }
  return first.results;
}

/** @throws RangeError if metrics share a heading, or a comparison names what is not there, or stands twice */
export function checkComparisons<R extends PatientResults>(
  comparisons: readonly Comparison[],
  arms: Arms<R>,
  metrics: Readonly<Record<string, MetricDefinition<R>>>,
): void {
  const labels = Object.values(metrics).map(({ label }) => label);
  const twice = labels.find((label, place) => labels.indexOf(label) !== place);
  if (twice !== undefined) throw new RangeError(`two metrics have the heading "${twice}"`);
  const seen = new Set<string>();
  for (const { arm, against, metric } of comparisons) {
    for (const name of [arm, against]) {
      if (!(name in arms)) throw new RangeError(`"${name}" is not one of the arms ${Object.keys(arms).join(', ')}`);
    }
    if (!(metric in metrics)) {
      throw new RangeError(`"${metric}" is not one of the metrics ${Object.keys(metrics).join(', ')}`);
    }
    if (arm === against) throw new RangeError(`"${arm}" cannot be compared with itself`);
    const name = JSON.stringify([...[arm, against].sort(), metric]);
    if (seen.has(name)) throw new RangeError(`"${arm}" and "${against}" are compared twice in ${metric}`);
    seen.add(name);
  }
}

type Named = { name: string; results: PatientResults };

function checkPatients(first: Named, other: Named): void {
  const casesIn = ({ results }: Named) =>
    new Map(results.patients.map((patient, place) => [patient, results.casesOf[place]!]));
  const [expected, found] = [casesIn(first), casesIn(other)];
  for (const patient of new Set([...expected.keys(), ...found.keys()])) {
    const [cases, others] = [expected.get(patient) ?? 0, found.get(patient) ?? 0];
    if (cases !== others) {
      throw new RangeError(
        `arms are compared on the same patients and cases: patient "${patient}" has ${cases} in ${first.name},` +
          ` ${others} in ${other.name}`,
      );
    }
  }
}

import type { SyntheticDatasetOptions, SyntheticDatasetSettings } from './options.js';
import { planners } from './planners.js';

/**
 * Fills in what was left out.
 *
 * @param classNames of the definition, in the order of labels
 * @throws RangeError that names the option, what it takes, and what it got
 */
export function syntheticDatasetSettings(
  options: SyntheticDatasetOptions,
  classNames: readonly string[],
): SyntheticDatasetSettings {
  const { kind } = options;
  if (options.classes !== undefined && kind !== 'ptcga200') {
    throw new RangeError(`classes can be chosen for ptcga200 only; ${kind} always has all of its classes`);
  }
  const sites = planners[kind].sites.length;
  const isBiopsy = kind.startsWith('segpanda200');
  return {
    kind,
    patients: whole('patients', options.patients, 1, 99),
    slidesPerPatient: whole('slidesPerPatient', options.slidesPerPatient ?? 1, 1, 9),
    sites: whole('sites', options.sites ?? sites, 1, sites),
    columns: whole('columns', options.columns ?? (isBiopsy ? 8 : 5), 1, 40),
    rows: whole('rows', options.rows ?? (isBiopsy ? 2 : 4), 1, 40),
    classes: classNames.slice(0, whole('classes', options.classes ?? classNames.length, 1, classNames.length)),
    leaks: {
      exact: whole('leaks.exact', options.leaks?.exact ?? 0, 0, 99),
      near: whole('leaks.near', options.leaks?.near ?? 0, 0, 99),
      rescanned: whole('leaks.rescanned', options.leaks?.rescanned ?? 0, 0, 99),
    },
  };
}

function whole(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${name} must be an integer from ${min} to ${max}; got ${value}`);
}

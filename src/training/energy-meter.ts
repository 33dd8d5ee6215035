import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Measures the energy of all CPU packages, from the counters of Linux's powercap (Intel RAPL; AMD has the same): what other
 * programs need is in it, and what GPUs, and on most machines memory, need is not. Counters of the platform, which have the
 * packages' energy in them, are left out.
 *
 * @returns a function that gives the joules since it was last called, and undefined from a read that fails on; undefined where counters are missing or not readable, as
 *   for most users who are not root
 */
export function energyMeter(folder = '/sys/class/powercap'): (() => number | undefined) | undefined {
  const textOf = (name: string, file: string) => readFileSync(join(folder, name, file), 'utf8').trim();
  const read = (name: string, file: string) => Number(textOf(name, file) || Number.NaN);
  try {
    const packages = readdirSync(folder).filter(
      (name) => /^intel-rapl:\d+$/.test(name) && textOf(name, 'name').startsWith('package'),
    );
    const counters = packages.map((name) => ({
      ...{ name, last: read(name, 'energy_uj') },
      // Counts on from 0 after it.
      most: read(name, 'max_energy_range_uj'),
    }));
    if (counters.length === 0 || counters.some(({ last, most }) => !(last >= 0 && most > 0))) return undefined;
    let failed = false;
    return () => {
      if (failed) return undefined;
      try {
        let microjoules = 0;
        for (const counter of counters) {
          const now = read(counter.name, 'energy_uj');
          if (!(now >= 0)) throw new RangeError(`${counter.name} counts ${now} µJ`);
          microjoules += now >= counter.last ? now - counter.last : counter.most - counter.last + now;
          counter.last = now;
        }
        return microjoules / 1e6;
      } catch {
        // A training goes on, and its energy is not known.
        failed = true;
        return undefined;
      }
    };
  } catch {
    return undefined;
  }
}

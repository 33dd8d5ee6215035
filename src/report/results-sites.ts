import { type ComparedGroup, maxSites, type Results } from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { estimate, headingsOf, inRowOrder, pageLinks, runsOf } from './results-cells.js';
import { sayInstead } from './say-instead.js';
import { showTable } from './table.js';

/** Shows the values on the test patients of each site alone. */
export async function showSiteRobustness(
  run: Run,
  { runs }: Results,
  compared: readonly ComparedGroup[],
): Promise<void> {
  const links = pageLinks(run, runs);
  const withSites = compared.filter(({ sites }) => sites.length > 0);
  if (withSites.length === 0) return sayInstead('No column has test patients of two known sites or more.');
  const heading = headingsOf(withSites);
  for (const { group, sites } of withSites) {
    const of = group.experiment.task.masks ? '' : ', Accuracy %';
    await showTable(
      inRowOrder(Object.keys(group.arms)).map((arm) => {
        const values = sites.map(({ comparison }) => comparison.values.find((each) => each.arm === arm)!);
        const known = values.flatMap(({ value }) => value.value ?? []);
        return {
          Pretraining: arm,
          ...Object.fromEntries(
            sites.map(({ site, patients }, place) => [
              `${site} (${patients})`,
              estimate(values[place]!.value.value, values[place]!.interval),
            ]),
          ),
          'Best minus worst': known.length < 2 ? '–' : estimate(Math.max(...known) - Math.min(...known)),
          Runs: runsOf(group, arm),
        };
      }),
      { caption: `By site (test ${group.cases.unit}): ${heading(group)}${of}`, links },
    );
    const others = new Set(group.cases.sites.filter((site) => site !== null)).size - sites.length;
    const unknown = group.cases.sites.filter((site) => site === null).length;
    await sayInstead(
      ...(others > 0
        ? [`The ${maxSites} sites with the most test ${group.cases.unit}; ${others} more are not shown.`]
        : []),
      ...(unknown > 0 ? [`${unknown} test ${group.cases.unit} are of no known site, or of several.`] : []),
    );
  }
}

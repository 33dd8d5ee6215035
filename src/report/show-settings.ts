import type { ViewRecipe } from '../augment/index.js';
import type { FineTuneRecipe, PretrainRecipe } from '../experiments/index.js';
import { showTable } from './table.js';

/** Shows an experiment's settings beside the paper's, a row each. */
export async function showSettings(experiment: PretrainRecipe & { paper: PretrainRecipe }): Promise<void> {
  const [here, paper] = [flat(experiment), flat(experiment.paper)];
  // A setting that only one of the two has keeps its place.
  const names = [...new Set([...Object.keys(here), ...Object.keys(paper)])].filter(
    (name) => here[name] !== undefined || paper[name] !== undefined,
  );
  await showTable(
    names.map((name) => ({ name, here: here[name], paper: paper[name] })),
    { columns: { name: 'Setting', here: 'Here', paper: 'Paper' } },
  );
}

function flat(recipe: PretrainRecipe): Record<string, unknown> {
  const { method, settings, batchSize, imageSize, balanced = false } = recipe;
  const { protocol, folds, seeds, warmupEpochs, patience, testTime } = recipe as Partial<FineTuneRecipe>;
  const views: Record<string, unknown> = {};
  for (const [title, recipe] of viewsByTitle(method.views)) {
    for (const [name, value] of Object.entries(recipe)) views[`${title}, ${name}`] = value;
  }
  const { seed: _, ...plain } = { seed: undefined, ...settings };
  // A method may have a momentum too: that of its slow copy.
  const { epochs, steps, momentum, ...rest } = plain as typeof settings;
  return {
    protocol,
    backbone: method.backbone.name,
    ...method.settings,
    epochs,
    steps,
    ...rest,
    'optimizer, momentum': momentum,
    batchSize,
    balanced,
    imageSize,
    ...{ folds, seeds, warmupEpochs, patience, 'test time': testTime },
    ...views,
  };
}

/** Names of equal consecutive views: "view 1", "views 3 to 10"; "views" if all are equal. */
function viewsByTitle(recipes: readonly ViewRecipe[]): [string, ViewRecipe][] {
  const firsts = recipes.flatMap((recipe, view) =>
    view > 0 && JSON.stringify(recipe) === JSON.stringify(recipes[view - 1]) ? [] : [view],
  );
  return firsts.map((first, group) => {
    const last = (firsts[group + 1] ?? recipes.length) - 1;
    const numbers = first === last ? `view ${first + 1}` : `views ${first + 1} to ${last + 1}`;
    return [firsts.length === 1 ? 'views' : numbers, recipes[first]!];
  });
}

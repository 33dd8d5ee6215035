import type { PretrainExperiment, PretrainRecipe } from '../experiments/index.js';
import { showTable } from './table.js';

/** Shows an experiment's settings beside the paper's, a row each. */
export async function showSettings(experiment: PretrainExperiment): Promise<void> {
  const [here, paper] = [flat(experiment), flat(experiment.paper)];
  // What one of the two leaves out stands where the other has it.
  const names = [...new Set([...Object.keys(here), ...Object.keys(paper)])].filter(
    (name) => here[name] !== undefined || paper[name] !== undefined,
  );
  await showTable(
    names.map((name) => ({ name, here: here[name], paper: paper[name] })),
    { columns: { name: 'Setting', here: 'Here', paper: 'Paper' } },
  );
}

function flat({
  method,
  settings,
  batchSize,
  imageSize,
}: PretrainRecipe | PretrainExperiment): Record<string, unknown> {
  const views = Object.assign(
    {},
    ...method.views.map((recipe, view) =>
      Object.fromEntries(Object.entries(recipe).map(([name, value]) => [`view ${view + 1}, ${name}`, value])),
    ),
  ) as Record<string, unknown>;
  // Views that are drawn alike are told once.
  const [first, ...others] = method.views;
  const alike = others.every((recipe) => JSON.stringify(recipe) === JSON.stringify(first));
  const shown = alike
    ? Object.fromEntries(Object.entries(first!).map(([name, value]) => [`views, ${name}`, value]))
    : views;
  const { seed: _, ...plain } = { seed: undefined, ...settings };
  const { epochs, steps, ...rest } = plain as typeof settings;
  return { backbone: method.backbone.name, ...method.settings, epochs, steps, ...rest, batchSize, imageSize, ...shown };
}

import { relative, sep } from 'node:path';
import { projectRoot } from '../base/index.js';
import { backboneNames } from '../models/index.js';
import { commandFor, runFolderFor } from '../runs/index.js';
import { type FineTuneNotebook, fineTuneExperiment } from './finetune.js';
import { networkNamed, smallNetworks } from './network.js';
import { pretrainExperiment, pretrainingNotebooks } from './pretrain.js';
import type { Scale } from './pretrain-recipe.js';
import type { ResultGroup } from './results-groups.js';
import { resultTasks } from './results-paper.js';
import { resultRows, rowOf } from './results-rows.js';
import type { ResultRun } from './results-runs.js';

/** Cells of one row that no run fills. */
export interface MissingCells {
  pretraining: string;
  /** Tasks. */
  on: string[];
  /** What makes them, in order; a FILE is the user's. */
  commands: string[];
}

/**
 * The cells of the paper's tables that no run at a scale fills, on the scale's own data with all labels, and the commands
 * that make them.
 */
export function missingCells(
  scale: Scale,
  groups: readonly ResultGroup[],
  runs: readonly ResultRun[],
  root = projectRoot,
): MissingCells[] {
  const own = groups.filter(
    (group) =>
      group.scale === scale &&
      group.cases.labelled === group.cases.available &&
      group.runs.some(({ parameters }) => parameters.data === undefined),
  );
  return resultRows().flatMap((pretraining) => {
    // The paper has it for segmentation only.
    const tasks = Object.keys(resultTasks).filter((notebook) => pretraining !== 'COCO' || notebook.startsWith('30'));
    const lacking = tasks.filter(
      (notebook) =>
        !own.some(
          (group) => group.notebook === notebook && Object.keys(group.arms).some((arm) => rowOf(arm) === pretraining),
        ),
    ) as FineTuneNotebook[];
    if (lacking.length === 0) return [];
    const before = pretrainingNotebooks().find(({ name }) => name === pretraining)?.notebook;
    const from = before === undefined ? undefined : pretrainingRun(before, scale, runs, root);
    return {
      pretraining,
      on: lacking.map((notebook) => resultTasks[notebook]!),
      commands: [
        ...(from && !from.isThere ? [command(before!, { scale })] : []),
        ...lacking.map((notebook) => command(notebook, { scale, ...startOf(pretraining, notebook, scale, from) })),
      ],
    };
  });
}

const command = (notebook: string, parameters: Record<string, unknown>) =>
  commandFor({ notebook, identity: { hash: '', hashes: {}, parameters } });

/** A finished run of a pretraining with the scale's settings, or where it will be. */
function pretrainingRun(notebook: string, scale: Scale, runs: readonly ResultRun[], root: string) {
  const { name } = pretrainExperiment(notebook, { scale }).method.backbone;
  const plain = runs.filter(
    ({ parameters, ...run }) =>
      run.notebook === notebook &&
      run.folder.startsWith(root + sep) &&
      run.scale === scale &&
      parameters.data === undefined &&
      parameters.backbone === undefined,
  );
  const folder = () => relative(root, plain.at(-1)?.folder ?? runFolderFor(notebook, { scale, seed: 1 }, root));
  return { isThere: plain.length > 0, folder, network: name };
}

/** The parameters of a fine-tuning besides the scale; by default it takes every pretraining of its network. */
function startOf(
  pretraining: string,
  notebook: FineTuneNotebook,
  scale: Scale,
  from: ReturnType<typeof pretrainingRun> | undefined,
): Record<string, string> {
  if (pretraining === 'COCO') return { init: 'random,coco=FILE' };
  // Of the paper's network, no weights trained on ImageNet are brought here.
  if (pretraining === 'ImageNet') {
    return scale === 'paper'
      ? { init: 'random,imagenet=FILE' }
      : { backbone: 'efficientnet_lite0', init: 'random,imagenet' };
  }
  const { backbone } = fineTuneExperiment(notebook, { scale }).method;
  if (!from || from.network === backbone.name) return {};
  return { backbone: parameterOf(from.network), init: `random,${from.folder()}` };
}

/** What a page's parameter calls a network; MAE's has the same weights as the one without its mean of patches. */
function parameterOf(network: string): string {
  const names = [...Object.keys(smallNetworks), ...backboneNames];
  const found = names.find((name) => networkNamed(name).name === network.replace(/, mean of patches$/, ''));
  if (found === undefined) throw new RangeError(`no parameter names the network ${network}`);
  return found;
}

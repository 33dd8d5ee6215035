import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { projectRoot } from '../base/index.js';
import { type Backbone, loadWeights, type ModelTensors, openWeights, publishedWeights } from '../models/index.js';

/** The manifest of weights trained on ImageNet, by the backbone that they fit. */
const imageNetWeights: Readonly<Record<string, string>> = { efficientnet_lite0: 'efficientnet-lite0-imagenet' };

/**
 * The weights that a backbone begins with. A classifier in the file is passed over.
 *
 * @param init `random`: drawn from the run's key; `imagenet`: published ones; or a run folder, or a file that
 *   `loadWeights` reads. A relative path starts at the project's folder
 * @returns undefined where they are drawn; else the caller's to dispose of
 * @throws Error if there is no such file, or it does not fit the backbone: it names the tensors
 */
export async function initialWeights(init: string, backbone: Backbone): Promise<ModelTensors | undefined> {
  if (init === 'random') return undefined;
  return (await loadWeights(backbone, await fileOf(init, backbone), { classes: 0 })).model;
}

/** SHA-256 of the files that those weights are read from, by name. */
export async function initialWeightsFiles(init: string, backbone: Backbone): Promise<Record<string, string>> {
  if (init === 'random') return {};
  const { files, close } = await openWeights(await fileOf(init, backbone));
  await close();
  return files;
}

async function fileOf(init: string, backbone: Backbone): Promise<string> {
  if (init === 'imagenet') return imageNetFile(backbone);
  const given = resolve(projectRoot, init);
  if (!existsSync(given)) {
    throw new Error(`init is "random", "imagenet", a run folder or a file of weights; there is no ${given}`);
  }
  const inRun = join(given, 'backbone.safetensors');
  if (existsSync(inRun)) return inRun;
  if (existsSync(join(given, 'parameters.json'))) {
    throw new Error(`init is ${given}, a run that is not finished: there is no backbone.safetensors in it`);
  }
  return given;
}

async function imageNetFile({ name }: Backbone): Promise<string> {
  if (!Object.hasOwn(imageNetWeights, name)) {
    throw new RangeError(
      `there are weights trained on ImageNet for ${Object.keys(imageNetWeights).join(', ')}, and none for ${name}: take ` +
        'that backbone, or give init a file of them',
    );
  }
  return (await publishedWeights(imageNetWeights[name]!)).path;
}

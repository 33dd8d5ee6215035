import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { projectRoot } from '../base/index.js';
import { type Backbone, type LoadedWeights, loadWeights, publishedWeights } from '../models/index.js';

/** The manifest of weights trained on ImageNet, by the backbone that they fit. */
const imageNetWeights: Readonly<Record<string, string>> = { efficientnet_lite0: 'efficientnet-lite0-imagenet' };

/**
 * A backbone's initial weights. A classifier in the file is ignored.
 *
 * @param init `random`: drawn from the run's key; `imagenet`: published ones; or a run folder, or a file that
 *   `loadWeights` reads. A relative path starts at the project's folder
 * @returns undefined where they are drawn; else the model, the caller's to dispose of, and the SHA-256 of its files
 * @throws Error if there is no such file, or it does not fit the backbone: it names the tensors
 */
export async function initialWeights(
  init: string,
  backbone: Backbone,
): Promise<Pick<LoadedWeights, 'model' | 'files'> | undefined> {
  if (init === 'random') return undefined;
  return loadWeights(backbone, await fileOf(init, backbone), { classes: 0 });
}

async function fileOf(init: string, backbone: Backbone): Promise<string> {
  if (init === 'imagenet') return imageNetFile(backbone);
  const given = resolve(projectRoot, init);
  if (init.trim() === '' || !existsSync(given)) {
    throw new Error(`init is "random", "imagenet", a run folder or a file of weights; there is no ${init}`);
  }
  if (!statSync(given).isDirectory()) return given;
  const has = (name: string) => existsSync(join(given, name));
  if (has('backbone.safetensors')) return join(given, 'backbone.safetensors');
  if (has('model.safetensors.index.json')) return given;
  const what = has('parameters.json') ? 'a run that is not finished' : 'a folder without weights';
  throw new Error(
    `init is ${given}, ${what}: there is no backbone.safetensors in it, and no model.safetensors.index.json`,
  );
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

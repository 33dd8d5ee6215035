import { type Key, key } from '../../base/index.js';
import { disposeTensors, type Tensors, tf } from '../../engine/index.js';
import type { Backbone } from '../backbone.js';
import type { ModelTensors } from '../forward-pass.js';
import { fitted, refuse, type Stored, storedByName, withChannels } from './fit-tensors.js';
import { resolveNames } from './naming.js';
import { openWeights, type SourceOptions } from './open-weights.js';

export interface LoadOptions extends SourceOptions {
  /** Of the images that the network is to take; 3 by default. The first convolution is made to fit as timm does. */
  channels?: number;
  /**
   * Of the classifier that is wanted, as timm's `num_classes`: the file's is given back if it has so many, and dropped if
   * it has others, or for 0. Without, a file with a classifier is refused.
   */
  classes?: number;
  /** Beginnings of names that the file may lack: they start as `key` has them. */
  mayBeMissing?: readonly string[];
  /** Beginnings of names that are passed over. */
  mayBeLeftOver?: readonly string[];
  /** What stands before the network's names, where the file holds the network more than once. */
  prefix?: string;
  /** Decides what the file lacks. */
  key?: Key;
}

export interface LoadedWeights {
  model: ModelTensors;
  /** `weight` `[classes, features]` and `bias` `[classes]`, if one was asked for and the file's has as many classes. */
  classifier?: Tensors;
  /** How the file's names were understood, and what stood before the network's. */
  naming: string;
  prefix: string;
  /** What was not in the file, by the network's names, and what of it was passed over. */
  missing: string[];
  leftOver: string[];
  /** SHA-256 of each file that was read, by its name, for provenance. */
  files: Record<string, string>;
}

/** Parts of other networks that checkpoints hold beside the backbone. */
const passedOver = [/^mask_token$/, /^pooler\./, /^decoder_/, /^AuxLogits\./];
/** Of batch norm, which nothing uses. */
const isCounter = /(^|\.)num_batches_tracked$/;
/** MoCo's projection takes the classifier's place and name. */
const ofMoco = /(encoder_q|base_encoder)\.$/;
const isClassifier = /^(fc|head|head\.fc|classifier)\.(weight|bias)$/;

/**
 * Loads weights into a backbone. Names are understood as timm, torchvision, Hugging Face, DINO, DINOv2, MAE, MoCo, lightly
 * and the authors of BiT and of EfficientNet's port have them, behind whatever prefix; position embeddings are resampled.
 *
 * @param source see `openWeights`
 * @throws Error that names the file, and lists what is missing, left over, or of another shape
 */
export async function loadWeights(
  backbone: Backbone,
  source: string,
  options: LoadOptions = {},
): Promise<LoadedWeights> {
  const { channels = 3, classes, mayBeMissing = [], mayBeLeftOver = [] } = options;
  const opened = await openWeights(source, options);
  const model = backbone.initialize(options.key ?? key(0));
  try {
    if (channels !== 3) fitChannels(model, channels);
    const partOf = (name: string) => (Object.hasOwn(model.parameters, name) ? model.parameters : model.state);
    const targets = [...Object.keys(model.parameters), ...Object.keys(model.state)];
    const understood = resolveNames(Object.keys(opened.tensors), targets, options.prefix);
    const { naming, prefix } = understood;
    const stored = storedByName(opened.tensors, understood, targets);
    const beginsWith = (name: string, starts: readonly string[]) => starts.some((start) => name.startsWith(start));
    const missing = targets.filter((name) => !stored.has(name));
    const unknown = missing.filter((name) => !beginsWith(name, mayBeMissing));
    refuse('lacks', unknown, understood, 'mayBeMissing');
    const leftOver = [...stored.keys()].filter((name) => !targets.includes(name) && !isCounter.test(name));
    const isExpected = (name: string) =>
      passedOver.some((pattern) => pattern.test(name)) ||
      (ofMoco.test(prefix) && /^(fc|head)\./.test(name)) ||
      (classes !== undefined && isClassifier.test(name)) ||
      beginsWith(name, mayBeLeftOver);
    const unexpected = leftOver.filter((name) => !isExpected(name));
    const option = unexpected.every((name) => isClassifier.test(name))
      ? 'classes (0 drops a classifier)'
      : 'mayBeLeftOver';
    refuse('also has', unexpected, understood, option);
    const fits = targets.flatMap((name) => {
      const found = stored.get(name);
      return found ? [{ name, read: fitted(found, name, partOf(name)[name]!) }] : [];
    });
    const wrong = fits.flatMap(({ read }) => (typeof read === 'string' ? [read] : []));
    refuse('has other shapes:', wrong, understood);
    for (const { name, read } of fits) {
      if (typeof read === 'string') continue;
      const tensor = await read();
      partOf(name)[name]!.dispose();
      partOf(name)[name] = tensor;
    }
    const classifier = classes ? await classifierOf(stored, classes) : undefined;
    return { model, ...(classifier && { classifier }), naming, prefix, missing, leftOver, files: opened.files };
  } catch (error) {
    disposeTensors(model.parameters, model.state);
    const { message } = error as Error;
    throw new Error(`${source} does not fit ${backbone.name}: ${message}`, { cause: error });
  } finally {
    await opened.close();
  }
}

/** Gives a fresh model's first convolution as many channels. */
function fitChannels({ parameters }: ModelTensors, channels: number): void {
  if (!(Number.isSafeInteger(channels) && channels > 0))
    throw new RangeError(`channels must be a positive integer; got ${channels}`);
  const first = Object.entries(parameters).find(([, { rank, shape }]) => rank === 4 && shape[2] === 3);
  if (!first) throw new Error('the network has no convolution of three input channels');
  const [name, weight] = first;
  parameters[name] = tf.tidy(() => withChannels(weight.transpose([3, 2, 0, 1]), channels).transpose([2, 3, 1, 0]));
  weight.dispose();
}

/** The file's classifier, if it tells so many classes apart. */
async function classifierOf(stored: Stored, classes: number): Promise<Tensors | undefined> {
  const found = [...stored].filter(([name, { shape }]) => isClassifier.test(name) && shape[0] === classes);
  const kinds = Object.fromEntries(found.map(([name, tensor]) => [name.endsWith('.bias') ? 'bias' : 'weight', tensor]));
  if (!kinds.weight || !kinds.bias) return undefined;
  const [weight, bias] = [await kinds.weight.read(), await kinds.bias.read()];
  // BiT's is a convolution of one pixel.
  const dense = weight.reshape([classes, -1]);
  weight.dispose();
  return { weight: dense, bias };
}

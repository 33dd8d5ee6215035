import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { digestOfFile, writeFileAtomic } from '../base/index.js';
import { disposeTensors, elementsOf, type Tensor, writeSafetensors, writeSavedModel } from '../engine/index.js';
import type { Encoder } from '../evaluate/index.js';
import { isPretraining } from '../experiments/index.js';
import { toTorch } from '../models/index.js';
import type { Metric } from '../runs/index.js';
import { encoderOf, experimentOf, readFinishedRun, readOfRun } from './finished-run.js';
import { modelCard } from './model-card.js';
import { interruptible, parseOptions, wholeNumber } from './options.js';
import { UsageError } from './usage-error.js';

const help = `pathlab export RUN --to FORM --out FOLDER

Exports the backbone of a finished pretraining run (RUN is its folder), with a model card:

  --to timm         model.safetensors and config.json: timm.create_model('local-dir:FOLDER', pretrained=True)
  --to torchvision  model.safetensors, for torchvision's network of the same name
  --to savedmodel   a TensorFlow SavedModel that computes the features of a batch of normalized images; its card shows how
                    to convert it to ONNX with tf2onnx
  --out FOLDER      an empty or new folder
  --batch N         batch size of a SavedModel (1)
`;

interface Form {
  /** Writes the files to load. */
  write(encoder: Encoder, folder: string, options: { batch: number; run: string }): Promise<void>;
  /** Code that loads it. */
  loading(encoder: Encoder, folder: string): { language: string; code: string };
  /** Files beside the card. */
  files: readonly string[];
}

const weightsName = 'model.safetensors';

const forms: Readonly<Record<string, Form>> = {
  timm: {
    files: [weightsName, 'config.json'],
    write: (encoder, folder, { run }) => writeTimmFolder(encoder, folder, run),
    loading: (encoder) => ({
      language: 'python',
      code: `import timm
from safetensors.torch import load_file

model = timm.create_model(${timmArguments(encoder)})
model.load_state_dict(load_file('${weightsName}'))
# or: timm.create_model('local-dir:FOLDER', pretrained=True), with this folder's path and any num_classes
model.eval()`,
    }),
  },
  torchvision: {
    files: [weightsName],
    async write(encoder, folder, { run }) {
      torchvisionName(encoder);
      await writeWeights(encoder, folder, run);
    },
    loading: (encoder) => ({
      language: 'python',
      code: `import torch
import torchvision
from safetensors.torch import load_file

model = torchvision.models.${torchvisionName(encoder)}
model.fc = torch.nn.Identity()  # it has no classifier
model.load_state_dict(load_file('${weightsName}'))
model.eval()`,
    }),
  },
  savedmodel: {
    files: ['saved_model.pb'],
    async write({ backbone, model, view }, folder, { batch }) {
      const apply = (images: Tensor) => ({ features: backbone.apply(model, images, { training: false }).features });
      await writeSavedModel(folder, apply, { name: 'images', shape: [batch, view.size, view.size, 3] });
    },
    loading: ({ view }, folder) => ({
      language: 'python',
      code: `import tensorflow as tf

infer = tf.saved_model.load('${folder}').signatures['serving_default']
features = infer(images=images)['features']  # float32 [batch, ${view.size}, ${view.size}, 3], normalized
# to ONNX: python -m tf2onnx.convert --saved-model ${folder} --output model.onnx --opset 18  (pip install tf2onnx)`,
    }),
  },
};

/**
 * The command `pathlab export`.
 *
 * @param args what follows `export` on the command line
 * @returns the exit code
 * @throws UsageError with a message for the user
 */
export async function exportRun(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('export', {
    args: [...args],
    allowPositionals: true,
    options: {
      to: { type: 'string' },
      out: { type: 'string' },
      batch: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [where, ...others] = positionals;
  const { to = '', out } = values;
  if (where === undefined || others.length > 0)
    throw new UsageError('export takes one RUN (see pathlab export --help)');
  if (!Object.hasOwn(forms, to)) {
    throw new UsageError(`--to takes ${Object.keys(forms).join(', ')}; got ${to === '' ? 'none' : `"${to}"`}`);
  }
  if (out === undefined) throw new UsageError('export takes --out FOLDER (see pathlab export --help)');
  const folder = resolve(out);
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new UsageError(`${out} is not empty`);
  const batch = wholeNumber('batch', values.batch) ?? 1;
  const run = readFinishedRun(where);
  if (!isPretraining(run.notebook))
    throw new UsageError(`${where} is a run of ${run.notebook}, which is not a pretraining notebook`);
  const kept = join(run.folder, 'backbone.safetensors');
  if (!existsSync(kept) || (await digestOfFile(kept)) !== run.weights['backbone.safetensors']) {
    throw new UsageError(`${kept} changed since the run (see pathlab verify)`);
  }
  // What other programs run is made of TensorFlow's own ops; read when TensorFlow loads.
  if (to === 'savedmodel') process.env.PATHLAB_CUSTOM_OPS = 'off';
  return interruptible('export', async () => {
    const experiment = experimentOf(run);
    const encoder = await encoderOf(run, experiment);
    const form = forms[to]!;
    await form.write(encoder, folder, { batch, run: run.runHash });
    const digests = form.files.map(async (name) => [name, await digestOfFile(join(folder, name))] as const);
    const card = modelCard({
      ...{ run, experiment, encoder },
      metrics: readOfRun<{ metrics: Metric[] }>(run.folder, 'metrics.json').metrics,
      parameters: elementsOf(encoder.model.parameters),
      sha256: Object.fromEntries(await Promise.all(digests)),
      loading: form.loading(encoder, folder),
    });
    await writeFileAtomic(join(folder, 'README.md'), card);
    console.log(`${folder}: ${[...form.files, 'README.md'].join(', ')}`);
    return 0;
  });
}

/** Writes weights and `config.json`, as in timm's model repositories. */
export async function writeTimmFolder(encoder: Encoder, folder: string, run: string): Promise<void> {
  const { backbone, view } = encoder;
  const architecture = timmName(encoder);
  const options = timmOptions(encoder);
  await writeWeights(encoder, folder, run);
  const config = {
    architecture,
    num_classes: 0,
    num_features: backbone.featureSize,
    ...(Object.keys(options).length > 0 && { model_args: options }),
    pretrained_cfg: {
      tag: 'pathlab',
      custom_load: false,
      input_size: [3, view.size, view.size],
      fixed_input_size: false,
      interpolation: 'bilinear',
      crop_pct: view.crop ?? 1,
      crop_mode: 'center',
      mean: view.colors.mean,
      std: view.colors.std,
      num_classes: 0,
    },
  };
  await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}

/** Writes a backbone's tensors in PyTorch's layout. */
export async function writeWeights({ model }: Encoder, folder: string, run: string): Promise<void> {
  const tensors = toTorch(model);
  await writeSafetensors(join(folder, weightsName), tensors, { format: 'pt', run });
  disposeTensors(tensors);
}

function timmName({ backbone }: Encoder): string {
  if (backbone.timm === undefined) {
    throw new UsageError(`timm has no network ${backbone.name}; use --to savedmodel`);
  }
  return backbone.timm;
}

/** What timm is to be told beside the name, so that its features are these, of images of the view's size. */
function timmOptions({ backbone, view }: Encoder): Record<string, string | number | boolean> {
  // timm's transformers take other sizes only when they are told to.
  const isOther = backbone.sizes?.multipleOf !== undefined && view.size !== backbone.inputSize;
  return { ...backbone.timmOptions, ...(isOther && { dynamic_img_size: true }) };
}

/** The same as arguments in Python. */
function timmArguments(encoder: Encoder): string {
  const inPython = (value: string | number | boolean) =>
    typeof value === 'boolean' ? (value ? 'True' : 'False') : typeof value === 'string' ? `'${value}'` : String(value);
  const options = Object.entries({ num_classes: 0, ...timmOptions(encoder) });
  return [`'${timmName(encoder)}'`, ...options.map(([name, value]) => `${name}=${inPython(value)}`)].join(', ');
}

/** Networks with the same tensor names in torchvision and timm, and torchvision's call that creates them. */
const inTorchvision: Readonly<Record<string, string>> = {
  resnet18: 'resnet18()',
  resnet50: 'resnet50()',
  resnet50_dilated: 'resnet50(replace_stride_with_dilation=[False, True, True])',
  inception_v3: 'inception_v3(aux_logits=False, init_weights=False)',
};

function torchvisionName({ backbone }: Encoder): string {
  const call = Object.hasOwn(inTorchvision, backbone.name) ? inTorchvision[backbone.name] : undefined;
  if (call === undefined) {
    const known = Object.keys(inTorchvision).join(', ');
    throw new UsageError(
      `${backbone.name} cannot be exported to torchvision (only ${known} can); use --to timm or savedmodel`,
    );
  }
  return call;
}

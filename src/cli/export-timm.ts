import { join } from 'node:path';
import { writeFileAtomic } from '../base/index.js';
import { isSegmenter, weightsName, writeWeights } from './export-weights.js';
import type { ExportedModel, ExportForm } from './exported-model.js';
import { UsageError } from './usage-error.js';

export const timmForm: ExportForm = {
  library: 'timm',
  files: [weightsName, 'config.json'],
  write: (model, folder, { run }) => writeTimmFolder(model, folder, run),
  loading: (model) => `import timm
from safetensors.torch import load_file

model = timm.create_model(${timmArguments(model)})
model.load_state_dict(load_file('${weightsName}'))
# or: timm.create_model('local-dir:FOLDER', pretrained=True), with this folder's path and any num_classes
model.eval()`,
};

/** Writes weights and `config.json`, as in timm's model repositories. */
export async function writeTimmFolder(model: ExportedModel, folder: string, run: string): Promise<void> {
  const { backbone, view, fineTuned } = model;
  const architecture = timmName(model);
  const options = timmOptions(model);
  const classes = classesOf(model);
  await writeWeights(model, folder, run);
  const config = {
    architecture,
    num_classes: classes,
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
      num_classes: classes,
      ...(fineTuned && { classifier: backbone.classifier, label_names: fineTuned.classNames }),
    },
  };
  await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}

function timmName(model: ExportedModel): string {
  if (isSegmenter(model)) throw new UsageError('timm has no networks for segmentation; use --to savedmodel');
  const { name, timm } = model.backbone;
  if (timm === undefined) throw new UsageError(`timm has no network ${name}; use --to savedmodel`);
  return timm;
}

const classesOf = ({ fineTuned }: ExportedModel) => fineTuned?.classNames.length ?? 0;

/** What timm is to be told beside the name, so that its features are these, of images of the view's size. */
function timmOptions({ backbone, view, fineTuned }: ExportedModel): Record<string, string | number | boolean> {
  // timm's transformers take other sizes only when they are told to.
  const isOther = backbone.sizes?.multipleOf !== undefined && view.size !== backbone.inputSize;
  const dropout = fineTuned?.method.settings.dropout as number | undefined;
  return {
    ...backbone.timmOptions,
    ...(isOther && { dynamic_img_size: true }),
    ...(dropout && { drop_rate: dropout }),
  };
}

/** The same as arguments in Python. */
function timmArguments(model: ExportedModel): string {
  const inPython = (value: string | number | boolean) =>
    typeof value === 'boolean' ? (value ? 'True' : 'False') : typeof value === 'string' ? `'${value}'` : String(value);
  const options = Object.entries({ num_classes: classesOf(model), ...timmOptions(model) });
  return [inPython(timmName(model)), ...options.map(([name, value]) => `${name}=${inPython(value)}`)].join(', ');
}

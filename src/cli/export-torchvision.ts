import { isSegmenter, weightsName, writeWeights } from './export-weights.js';
import type { ExportedModel, ExportForm } from './exported-model.js';
import { UsageError } from './usage-error.js';

export const torchvisionForm: ExportForm = {
  library: 'torchvision',
  files: [weightsName],
  async write(model, folder, { run }) {
    torchvisionCall(model);
    await writeWeights(model, folder, run);
  },
  loading: (model) => `import torch
import torchvision
from safetensors.torch import load_file

model = torchvision.models.${torchvisionCall(model)}${model.fineTuned ? '' : '\nmodel.fc = torch.nn.Identity()  # it has no classifier'}
model.load_state_dict(load_file('${weightsName}'))
model.eval()${isSegmenter(model) ? "  # model(images)['out'] are logits" : ''}`,
};

/** Networks with the same tensor names in torchvision and timm, and what torchvision's functions of these names are given. */
const inTorchvision: Readonly<Record<string, { function: string; given: readonly string[] }>> = {
  resnet18: { function: 'resnet18', given: [] },
  resnet50: { function: 'resnet50', given: [] },
  resnet50_dilated: { function: 'resnet50', given: ['replace_stride_with_dilation=[False, True, True]'] },
  inception_v3: { function: 'inception_v3', given: ['aux_logits=False', 'init_weights=False'] },
};

/** Heads whose networks torchvision has on `resnet50_dilated`. */
const segmenters: Readonly<Record<string, string>> = { fcn: 'fcn_resnet50', deeplabv3: 'deeplabv3_resnet50' };

/** Torchvision's call that creates a network. */
function torchvisionCall(model: ExportedModel): string {
  const { name } = model.backbone;
  const classes = model.fineTuned ? [`num_classes=${model.fineTuned.classNames.length}`] : [];
  if (isSegmenter(model)) {
    const head = model.fineTuned!.method.settings.head as string;
    const known = name === 'resnet50_dilated' ? segmenters[head] : undefined;
    if (known) return `segmentation.${known}(weights_backbone=None, ${classes[0]})`;
    throw new UsageError(
      `torchvision has no network of the head ${head} on ${name} (only of fcn and deeplabv3 on resnet50_dilated); use ` +
        '--to savedmodel',
    );
  }
  const known = Object.hasOwn(inTorchvision, name) ? inTorchvision[name] : undefined;
  if (known) return `${known.function}(${[...known.given, ...classes].join(', ')})`;
  throw new UsageError(
    `${name} cannot be exported to torchvision (only ${Object.keys(inTorchvision).join(', ')} can); use --to timm or savedmodel`,
  );
}

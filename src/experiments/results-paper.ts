import type { ResultGroup } from './results-groups.js';

/*
 * Numbers that "Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks" (arXiv
 * 2303.15693) reports, and those that its authors' code reports since. Its tables have more; these are the ones that its
 * abstract states and this project has checked.
 */

/** A number of the paper. */
export interface PaperNumber {
  /** The notebook of the task. */
  notebook: '20-finetune-ptcga200' | '30-segment-segpanda200';
  /** What the network began with, as pages call it. */
  pretraining: string;
  network: string;
  /** The names of its parts here; no head of a network without one, and where the head is not stated. */
  parts: { backbone: string; head?: string };
  metric: string;
  /** Percent. */
  value: number;
  where: string;
}

const abstract = 'abstract of arXiv 2303.15693';
const later = "released later with the authors' code";
const ptcga200 = {
  notebook: '20-finetune-ptcga200',
  ...{ network: 'ResNet-50', parts: { backbone: 'resnet50' }, metric: 'accuracy', where: abstract },
} as const;
const segpanda200 = { notebook: '30-segment-segpanda200', metric: 'mIoU (paper)' } as const;
const fcn = { network: 'ResNet-50, FCN', parts: { backbone: 'resnet50', head: 'fcn' }, where: abstract } as const;
const vitLarge = { network: 'ViT-L/16', parts: { backbone: 'vit_large_patch16_224' } } as const;
const deepLab = {
  network: 'ResNet-50, DeepLab v3',
  parts: { backbone: 'resnet50_dilated', head: 'deeplabv3' },
} as const;

export const paperNumbers: readonly PaperNumber[] = [
  { ...ptcga200, pretraining: 'SimCLR', value: 86.41 },
  { ...ptcga200, pretraining: 'BYOL', value: 84.91 },
  { ...ptcga200, pretraining: 'MoCo v2', value: 83.94 },
  { ...ptcga200, pretraining: 'ImageNet', value: 82.72 },
  { ...segpanda200, ...fcn, pretraining: 'MoCo v2', value: 63.53 },
  { ...segpanda200, ...fcn, pretraining: 'COCO', value: 63.22 },
  { ...segpanda200, pretraining: 'MAE', ...vitLarge, value: 70.7, where: later },
  // Which pretraining is not stated where the number is quoted.
  { ...segpanda200, pretraining: 'not stated', ...deepLab, value: 69.61, where: later },
];

/** How pages call the tasks, with the metric of the paper. */
export const resultTasks: Readonly<Record<string, string>> = {
  '20-finetune-ptcga200': 'PTCGA200',
  '21-finetune-pcam200': 'PCam200',
  '30-segment-segpanda200': 'segPANDA200',
};

/** The paper's numbers of a column's task and network, whose head is the same too where the paper's is known. */
export function paperNumbersOf({
  notebook,
  experiment: {
    method: { backbone, settings },
  },
}: Pick<ResultGroup, 'notebook' | 'experiment'>): PaperNumber[] {
  return paperNumbers.filter(
    ({ parts, ...each }) =>
      each.notebook === notebook &&
      parts.backbone === backbone.name &&
      (parts.head === undefined || parts.head === settings.head),
  );
}

/** The metric that the paper reports, by its name among a task's; of masks by the rule of its code. */
export const papersMetric = ({ masks }: ResultGroup['experiment']['task']) => (masks ? 'paperIou' : 'accuracy');

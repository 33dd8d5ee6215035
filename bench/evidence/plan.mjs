// The runs of the evidence campaign: which sets, which networks, pretrained how, with how many labels; and the comparisons that
// are tested, named before any of them was run.
import { secondsOf } from './cost.mjs';

/**
 * The sets, of so many `patches`. `steps` are those of a fine-tuning by the number of training patients (or groups, tiles)
 * whose labels are used, fewer for fewer labels; `largeSteps` those of EfficientNet-Lite0, of which a step takes some eight
 * times as long. `column` names the units in the set's table. `size` is of the views, px; `epochs` are of a pretraining.
 * Steps and epochs are what some two hours a set leave room for; none was tuned, and no result was seen when they were set.
 */
export const sets = [
  {
    ...{ name: 'breast-idc', title: 'Breast: carcinoma or not', column: 'patient', patches: 5026 },
    ...{ notebook: '21-finetune-pcam200', metric: 'balancedAccuracy', alsoShown: ['auroc'] },
    ...{ steps: { 5: 150, 10: 200, 30: 300, all: 400 }, largeSteps: { 10: 100, all: 200 } },
    ...{ size: 64, epochs: 60 },
  },
  {
    ...{ name: 'lung-lc25000', title: 'Lung: three classes', column: 'group', patches: 2224 },
    ...{ notebook: '20-finetune-ptcga200', metric: 'balancedAccuracy' },
    // A group has four patches: with five groups, a batch of 32 could not be filled.
    batchSize: 16,
    ...{ steps: { 5: 150, 10: 200, 30: 250, 100: 400 }, largeSteps: { 10: 100, 100: 200 } },
    ...{ size: 96, epochs: 50 },
  },
  {
    ...{ name: 'nuclei-consep', title: 'Colon: kinds of nuclei', column: 'tile', patches: 432 },
    ...{ notebook: '30-segment-segpanda200', metric: 'foregroundDice' },
    ...{ steps: { 5: 200, all: 400 }, largeSteps: { 5: 150, all: 200 } },
    ...{ size: 128, epochs: 150 },
  },
  {
    ...{ name: 'colon-glands', title: 'Colon: glands', column: 'patient', patches: 984 },
    ...{ notebook: '30-segment-segpanda200', metric: 'foregroundDice' },
    // Of its 15 patients 10 are for tests, and 5 for training.
    ...{ steps: { 2: 200, all: 400 }, largeSteps: { all: 150 } },
    ...{ tile: 256, size: 128, epochs: 60 },
  },
];

/** What arms are called by what their weights have been through, as the pages call them. */
const methods = {
  '11-pretrain-simclr': 'SimCLR',
  '12-pretrain-mocov2': 'MoCo v2',
  '13-pretrain-byol': 'BYOL',
  '14-pretrain-dino': 'DINO',
  '15-pretrain-mae': 'MAE',
};

/**
 * Each network with what it begins with besides random weights, and its pretrainings on the set's own patches.
 *
 * Learning rates. Pretrainings have those of their pages at demo scale, which were chosen by trials with the small networks on
 * synthetic cohorts, none on these sets; so the retraining of EfficientNet-Lite0 from ImageNet has SimCLR's of the small ResNet,
 * which was not tuned for it. Fine-tunings of the small networks have the pages' (2e-3 for 32 patches; 3e-3 for 8 in
 * segmentation), which were set to fit few steps and not tuned. EfficientNet-Lite0's 1e-3 was not tuned either. All arms of a
 * network have the same rate, steps and batches. All methods have the same epochs, so that a step of more views costs more: the
 * tables say how long each pretraining took. `share` of the epochs, since a step of EfficientNet-Lite0 takes so much longer.
 */
const networks = [
  {
    backbone: 'small_resnet',
    inits: [],
    pretrainings: ['11-pretrain-simclr', '12-pretrain-mocov2', '13-pretrain-byol', '14-pretrain-dino'].map(
      (notebook) => ({ notebook }),
    ),
  },
  { backbone: 'small_vit', inits: [], pretrainings: [{ notebook: '15-pretrain-mae' }] },
  {
    backbone: 'efficientnet_lite0',
    isLarge: true,
    inits: ['imagenet'],
    learningRate: 1e-3,
    share: 1 / 8,
    // The paper's retraining arm, ImageNet and then ours.
    pretrainings: [{ notebook: '11-pretrain-simclr', init: 'imagenet' }],
  },
];

/**
 * The comparisons that are tested, always as one family, those that are not measured with p = 1. All others are secondary:
 * they have intervals and no p-values. colon-glands, of 15 patients in all, is not among them.
 */
export const family = [
  { set: 'breast-idc', labels: 10 },
  { set: 'lung-lc25000', labels: 10 },
  { set: 'nuclei-consep', labels: 5 },
].flatMap((at) => [
  { ...at, backbone: 'small_resnet', arm: 'SimCLR', against: 'random' },
  { ...at, backbone: 'small_vit', arm: 'MAE', against: 'random' },
  { ...at, backbone: 'efficientnet_lite0', arm: 'ImageNet, then SimCLR', against: 'ImageNet' },
]);

/** Whether random weights only lack steps: fine-tuned from them for four times as many. */
const control = { set: 'breast-idc', labels: '10', backbones: ['small_resnet', 'efficientnet_lite0'], times: 4 };

const seeds = 5;
const folder = 'results/evidence';
/** Of classification and segmentation pages at demo scale. */
const batchSizes = { '20-finetune-ptcga200': 32, '21-finetune-pcam200': 32, '30-segment-segpanda200': 8 };

/** What is trained on at once in the fine-tunings of a set. */
export const batchOf = ({ notebook, batchSize = batchSizes[notebook] }) => batchSize;

/**
 * The runs of a set, in order: pretrainings before what begins with them.
 *
 * @param {(typeof sets)[number]} set
 * @param {string} patches the folder of the sets
 * @returns {object[]} each with notebook, out, parameters, backbone, arm (of a pretraining), labels (of a fine-tuning: a number
 *   or null for all), rename (of its arms) and about how many seconds it takes
 */
export function runsOf(set, patches) {
  const { name, notebook, metric, tile, size, steps, largeSteps, batchSize, epochs } = set;
  const data = `${patches}/${name}/index.csv`;
  const shared = { scale: 'demo', data, ...(tile && { tile }), size, seed: 1 };
  return networks.flatMap(({ backbone, isLarge, inits, learningRate, share = 1, pretrainings }) => {
    const pretrained = pretrainings.map(({ notebook, init }) => {
      const method = notebook.replace(/^\d+-pretrain-/, '');
      return {
        ...{ set, notebook, backbone, arm: init ? `ImageNet, then ${methods[notebook]}` : methods[notebook] },
        out: `${folder}/${name}/${backbone}-${method}${init ? `-from-${init}` : ''}`,
        parameters: { ...shared, backbone, ...(init && { init }), epochs: Math.round(share * epochs) },
      };
    });
    const fineTuned = (count, init, times = 1) => ({
      ...{ set, notebook, backbone, labels: count === 'all' ? null : Number(count) },
      ...(times > 1 && { rename: { random: `random, ${times} x steps` } }),
      out: `${folder}/${name}/${backbone}-labels-${count}${times > 1 ? `-steps-x${times}` : ''}`,
      parameters: {
        ...{ ...shared, backbone, init: init.join(','), folds: 1, seeds, metric },
        steps: times * (isLarge ? largeSteps : steps)[count],
        ...(batchSize && { batchSize }),
        ...(learningRate && { learningRate: (learningRate * batchOf(set)) / batchSizes[notebook] }),
        ...(count !== 'all' && { labels: Number(count) }),
      },
    });
    const begun = ['random', ...inits, ...pretrained.map(({ out }) => out)];
    const isControlled = control.set === name && control.backbones.includes(backbone);
    return [
      ...pretrained,
      ...Object.keys(isLarge ? largeSteps : steps).map((count) => fineTuned(count, begun)),
      ...(isControlled ? [fineTuned(control.labels, ['random'], control.times)] : []),
    ].map((run) => ({ ...run, seconds: secondsOf(run, batchOf(set)) }));
  });
}

/**
 * @param {(typeof sets)[number]} set
 * @param {number[]} patchesOfUnits how many patches (or images to cut) each unit has
 * @throws RangeError if the fewest labels would not fill a batch
 */
export function checkBatches(set, patchesOfUnits) {
  const fewest = Math.min(...Object.keys(set.steps).flatMap((count) => (count === 'all' ? [] : Number(count))));
  const mean = patchesOfUnits.reduce((sum, count) => sum + count, 0) / patchesOfUnits.length;
  if (fewest * mean >= batchOf(set)) return;
  throw new RangeError(
    `${set.name}: ${fewest} ${set.column}s of about ${mean.toFixed(1)} patches do not fill a batch of ${batchOf(set)}: plan ` +
      'smaller batches or more labels',
  );
}

// The runs of the evidence campaign: which sets, which networks, pretrained how, with how many labels.

/**
 * The sets. `labels` are numbers of training patients (or groups, tiles) whose labels are used, null for all, each with the
 * `steps` of its fine-tunings. `size` is of the views, px; `epochs` of a pretraining, some minutes of SimCLR with the small
 * ResNet.
 */
export const sets = [
  {
    name: 'breast-idc',
    title: 'Breast: carcinoma or not',
    notebook: '21-finetune-pcam200',
    metric: 'balancedAccuracy',
    ...{ labels: [5, 10, 30, null], steps: [150, 200, 300, 400] },
    ...{ size: 64, epochs: 80 },
  },
  {
    name: 'colon-glands',
    title: 'Colon: glands',
    notebook: '30-segment-segpanda200',
    metric: 'foregroundDice',
    ...{ labels: [5, null], steps: [200, 400] },
    ...{ tile: 256, size: 128, epochs: 120 },
  },
  {
    name: 'lung-lc25000',
    title: 'Lung: three classes',
    notebook: '20-finetune-ptcga200',
    metric: 'balancedAccuracy',
    ...{ labels: [5, 10, 30, 100], steps: [150, 200, 250, 300] },
    ...{ size: 96, epochs: 80 },
  },
  {
    name: 'nuclei-consep',
    title: 'Colon: kinds of nuclei',
    notebook: '30-segment-segpanda200',
    metric: 'foregroundDice',
    ...{ labels: [5, null], steps: [200, 400] },
    ...{ size: 128, epochs: 250 },
  },
];

/**
 * Each network with what it begins with besides random weights, its pretrainings on the set's own patches, and the peak
 * learning rate of its fine-tunings where it is not the page's. `share` of the epochs: a step takes about eight times as long.
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
    inits: ['imagenet'],
    learningRate: 1e-3,
    share: 1 / 8,
    // The paper's retraining arm, ImageNet and then ours.
    pretrainings: [{ notebook: '11-pretrain-simclr', init: 'imagenet' }],
  },
];

const seeds = 5;
const folder = 'results/evidence';

/**
 * The runs of a set, in order: pretrainings before what begins with them.
 *
 * @param {(typeof sets)[number]} set
 * @param {string} patches the folder of the sets
 */
export function runsOf({ name, notebook, metric, tile, size, labels, epochs, steps }, patches) {
  const data = `${patches}/${name}/index.csv`;
  const shared = { scale: 'demo', data, ...(tile && { tile }), size };
  return networks.flatMap(({ backbone, inits, learningRate, share = 1, pretrainings }) => {
    const pretrained = pretrainings.map(({ notebook, init }) => {
      const method = notebook.replace(/^\d+-pretrain-/, '');
      return {
        notebook,
        out: `${folder}/${name}/${backbone}-${method}${init ? `-from-${init}` : ''}`,
        parameters: { ...shared, backbone, ...(init && { init }), epochs: Math.round(share * epochs) },
      };
    });
    const init = ['random', ...inits, ...pretrained.map(({ out }) => out)].join(',');
    const fineTuned = labels.map((count, place) => ({
      notebook,
      backbone,
      labels: count,
      out: `${folder}/${name}/${backbone}-labels-${count ?? 'all'}`,
      parameters: {
        ...{ ...shared, backbone, init, folds: 1, seeds, metric, steps: steps[place] },
        ...(learningRate && { learningRate }),
        ...(count !== null && { labels: count }),
      },
    }));
    return [...pretrained, ...fineTuned];
  });
}

// The runs of the evidence campaign: which sets, which networks, pretrained how, with how many labels.

/**
 * The sets. `labels` are numbers of training patients (or what stands for them) whose labels are used, null for all; `epochs`
 * are a pretraining's, some 10,000 steps of 32 patches.
 */
export const sets = [
  {
    name: 'breast-idc',
    title: 'Breast: invasive carcinoma or not',
    notebook: '21-finetune-pcam200',
    metric: 'balancedAccuracy',
    labels: [5, 10, 30, null],
    epochs: 100,
    steps: 300,
  },
  {
    name: 'lung-lc25000',
    title: 'Lung: three classes',
    notebook: '20-finetune-ptcga200',
    metric: 'balancedAccuracy',
    labels: [5, 10, 30, 100],
    epochs: 220,
    steps: 300,
  },
  {
    name: 'colon-glands',
    title: 'Colon: glands',
    notebook: '30-segment-segpanda200',
    metric: 'foregroundDice',
    tile: 256,
    labels: [5, null],
    epochs: 500,
    steps: 600,
  },
  {
    name: 'nuclei-consep',
    title: 'Colon: four kinds of nuclei',
    notebook: '30-segment-segpanda200',
    metric: 'foregroundDice',
    labels: [5, 10, null],
    epochs: 1000,
    steps: 600,
  },
];

/** Each network with what it begins with besides random weights, and its pretrainings on the set's own patches. */
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
    // From random weights; and the paper's retraining arm, ImageNet and then ours.
    pretrainings: [{ notebook: '11-pretrain-simclr' }, { notebook: '11-pretrain-simclr', init: 'imagenet' }],
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
export function runsOf({ name, notebook, metric, tile, labels, epochs, steps }, patches) {
  const data = `${patches}/${name}/index.csv`;
  const shared = { scale: 'demo', data, ...(tile && { tile }) };
  return networks.flatMap(({ backbone, inits, pretrainings }) => {
    const pretrained = pretrainings.map(({ notebook, init }) => {
      const method = notebook.replace(/^\d+-pretrain-/, '');
      return {
        notebook,
        out: `${folder}/${name}/${backbone}-${method}${init ? `-from-${init}` : ''}`,
        parameters: { ...shared, backbone, ...(init && { init }), epochs },
      };
    });
    const init = ['random', ...inits, ...pretrained.map(({ out }) => out)].join(',');
    const fineTuned = labels.map((count) => ({
      notebook,
      backbone,
      labels: count,
      out: `${folder}/${name}/${backbone}-labels-${count ?? 'all'}`,
      parameters: {
        ...{ ...shared, backbone, init, folds: 1, seeds, metric, steps },
        ...(count !== null && { labels: count }),
      },
    }));
    return [...pretrained, ...fineTuned];
  });
}

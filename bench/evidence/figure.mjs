import { drawChart } from '../../dist/report/index.js';

const networkNames = {
  small_resnet: 'small ResNet',
  small_vit: 'small ViT',
  efficientnet_lite0: 'EfficientNet-Lite0',
};

/**
 * Learning curves: a row for each set, a column for each network, a line for each arm.
 *
 * @param {object[]} values with set, title, backbone, labels (a number), arm, value, low and high
 * @returns {Promise<Buffer>} a PNG
 */
export async function learningCurves(values) {
  const rows = values.map((row) => ({ ...row, network: networkNames[row.backbone] }));
  const x = { field: 'labels', type: 'quantitative', scale: { type: 'log', nice: false, padding: 10 } };
  const { png } = await drawChart({
    title: {
      text: 'Fine-tuned on few labels',
      subtitle: ['mean of five seeds on held-out patients, with 95 % intervals over these'],
    },
    data: { values: rows },
    facet: {
      row: {
        field: 'title',
        title: null,
        header: { labelOrient: 'left' },
        sort: [...new Set(rows.map(({ title }) => title))],
      },
      column: { field: 'network', title: null, sort: Object.values(networkNames) },
    },
    resolve: { scale: { x: 'independent', y: 'independent' } },
    spec: {
      width: 210,
      height: 150,
      encoding: {
        x: {
          ...x,
          title: 'labelled patients, groups or tiles',
          axis: { format: 'd', grid: false, values: [5, 10, 30, 100] },
        },
        color: {
          field: 'arm',
          type: 'nominal',
          title: null,
          sort: [...new Set(rows.map(({ arm }) => arm))],
          legend: { symbolOpacity: 1 },
        },
      },
      layer: [
        {
          mark: { type: 'errorband', opacity: 0.12 },
          encoding: {
            y: { field: 'low', type: 'quantitative', scale: { zero: false }, title: null },
            y2: { field: 'high' },
          },
        },
        {
          mark: { type: 'line', point: true },
          encoding: { y: { field: 'value', type: 'quantitative', scale: { zero: false }, title: null } },
        },
      ],
    },
  });
  return png;
}

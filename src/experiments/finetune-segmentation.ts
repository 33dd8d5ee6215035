import { tf } from '../engine/index.js';
import {
  groupsOf,
  paperSegmentationMetrics,
  SegmentationCounts,
  type SegmentedCases,
  segmentationMetrics,
} from '../evaluate/index.js';
import { PatchSegmenter, unlabelled } from '../finetune/index.js';
import type { FineTuneTask } from './finetune-recipe.js';

const { macroIou, macroDice, pixelAccuracy, boundaryF1 } = segmentationMetrics();
const foregroundDice = segmentationMetrics('foreground').macroDice;

/**
 * Segmentation of patches; of each patient, the counts are kept that its metrics are computed from. Pixels of the value
 * `unlabelled` are ignored. The paper's mIoU stands beside ours, which leaves absent classes out.
 */
export const segmentationTask: FineTuneTask<SegmentedCases> = {
  masks: true,
  metrics: {
    ...{ macroIou, macroDice, foregroundDice, pixelAccuracy, boundaryF1 },
    paperIou: paperSegmentationMetrics.macroIou,
  },
  main: 'macroIou',
  predictor({ unit, ...as }) {
    const segmenter = new PatchSegmenter(as);
    return {
      async predict(model, source, options) {
        const { classNames } = source.dataset;
        const { names } = groupsOf(source, unit);
        const counts = new SegmentationCounts({ classNames, ignored: unlabelled });
        let place = 0;
        for await (const { row, ...image } of segmenter.segment(model, source, options)) {
          counts.add({ ...image, name: `patch ${row}`, patient: names[place++]! });
        }
        const { confusion, boundaries } = counts.results();
        const joined = (parts: readonly Float64Array[]) =>
          tf.tensor2d(Int32Array.from(parts.flatMap((part) => Array.from(part))), [parts.length, parts[0]!.length]);
        return { confusion: joined(confusion), boundaries: joined(boundaries) };
      },
      dispose: () => segmenter.dispose(),
    };
  },
  async results({ confusion, boundaries }, source, unit) {
    const { names } = groupsOf(source, unit);
    const patients = [...new Set(names)].sort();
    const rowsOf = async (counts: typeof confusion) => {
      const values = await counts!.data();
      const each = values.length / patients.length;
      return patients.map((_, patient) => Float64Array.from(values.subarray(patient * each, (patient + 1) * each)));
    };
    return {
      classNames: source.dataset.classNames,
      unit,
      patients,
      casesOf: patients.map((patient) => names.filter((name) => name === patient).length),
      confusion: await rowsOf(confusion),
      boundaries: await rowsOf(boundaries),
    };
  },
};

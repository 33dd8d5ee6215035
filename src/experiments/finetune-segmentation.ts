import { type Tensor, tf } from '../engine/index.js';
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
        return { confusion: storedCounts(confusion), boundaries: storedCounts(boundaries) };
      },
      dispose: () => segmenter.dispose(),
    };
  },
  async results({ confusion, boundaries }, { classNames, unit, patients: names }) {
    const patients = [...new Set(names)].sort();
    return {
      classNames,
      unit,
      patients,
      casesOf: patients.map((patient) => names.filter((name) => name === patient).length),
      confusion: await countsOf(confusion!),
      boundaries: await countsOf(boundaries!),
    };
  },
};

/** A patient may have more pixels than an int32 holds. */
const half = 2 ** 31;

/** Counts of each patient, `[patients, counts, 2]`: how often each holds 2^31, and the rest. */
export function storedCounts(parts: readonly Float64Array[]): Tensor {
  const halves = parts.flatMap((part) => Array.from(part, (count) => [Math.floor(count / half), count % half]).flat());
  return tf.tensor3d(halves, [parts.length, parts[0]!.length, 2], 'int32');
}

/** What `storedCounts` made. */
export async function countsOf(stored: Tensor): Promise<Float64Array[]> {
  const halves = await stored.data<'int32'>();
  const [patients, each] = stored.shape as [number, number, number];
  return Array.from({ length: patients }, (_, patient) =>
    Float64Array.from({ length: each }, (_, place) => {
      const at = 2 * (patient * each + place);
      return halves[at]! * half + halves[at + 1]!;
    }),
  );
}

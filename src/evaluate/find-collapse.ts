/** How far the features of different patches differ. */
export interface FeatureSpread {
  /** See `featureStd`. */
  embeddingStd: number;
  /** See `rankMe`. */
  rankMe: number;
}

/** Signs of a training's collapse, at one of its evaluations. */
export interface CollapseSigns {
  /** Of held-out patches before the first step; undefined where it is not known. */
  first?: FeatureSpread;
  /** Of the same patches now. */
  now: FeatureSpread;
  /** Losses of the later half of the steps so far; undefined while it is too early to judge by them, see `isSettled`. */
  losses?: readonly number[];
  /** The loss of outputs that are the same for every image; undefined for a method without one. */
  chanceLoss?: number;
}

export interface Collapse {
  /** What is the same for every image. */
  of: 'features' | 'outputs';
  /** How it shows, as the end of a sentence. */
  shows: string;
}

/** Share of the first deviation, and of the first RankMe above 1, below which features have collapsed. */
const lostShare = 0.1;
/** From here on features are not on one line, whatever RankMe was at first. */
const oneLine = 1.5;
/** How far a loss may be from that of equal outputs, relative to it. */
const lossTolerance = 0.01;

/**
 * Whether a network tells images apart no longer (collapse).
 *
 * - Of its features: their deviation is less than a tenth of what it was before training, or so is RankMe above 1, which
 *   then is below 1.5 too. Random weights are a severe measure: their features hardly differ already, and a training that
 *   learns spreads them. At demo scale the deviation of all methods became 2 to 6 times the first; the least seen is .22 of
 *   it, of MAE after 30 steps. Features of two classes that are learned perfectly have a RankMe of about 2 (two directions of
 *   equal weight; 1.75 if one class has nine tenths), however large it was before: hence the 1.5.
 * - Of its outputs: every loss of the later half of the steps is within 1 % of that of equal outputs. What depends on the
 *   images makes the loss of one batch differ from the next by more: at demo scale the later losses of SimCLR, MoCo v2 and MAE
 *   are 21 % below it and more; those of DINO, whose outputs became uniform, are within .3 %.
 *
 * Numbers that are not finite count as collapsed.
 */
export function findCollapse({ first, now, losses, chanceLoss }: CollapseSigns): Collapse | undefined {
  if (first) {
    const isSpread = now.embeddingStd >= lostShare * first.embeddingStd;
    const hasRank = now.rankMe >= Math.min(oneLine, 1 + lostShare * (first.rankMe - 1));
    if (!isSpread || !hasRank) {
      const compared = (name: 'embeddingStd' | 'rankMe') =>
        `${now[name].toPrecision(3)}, before training ${first[name].toPrecision(3)}`;
      return {
        of: 'features',
        shows: `features of different patches are nearly the same (deviation ${compared('embeddingStd')}; RankMe ${compared('rankMe')})`,
      };
    }
  }
  if (chanceLoss === undefined || !losses || losses.length === 0) return undefined;
  if (losses.some((loss) => Math.abs(loss - chanceLoss) > lossTolerance * chanceLoss)) return undefined;
  return {
    of: 'outputs',
    shows: `the loss stays at ${chanceLoss.toPrecision(4)}, that of outputs that are the same for every image`,
  };
}

/**
 * Whether losses so far say that a training does not learn: after twice the warm-up, a fifth of the steps, and 100 steps. A
 * healthy training may begin with the loss of equal outputs, as DINO does.
 *
 * @param training.warmup share of the steps
 */
export function isSettled(step: number, training: { steps: number; warmup: number }): boolean {
  return step >= Math.max(100, Math.max(0.2, 2 * training.warmup) * training.steps);
}

import { type Collapse, findCollapse, isSettled } from '../evaluate/index.js';
import type { TrainingEvent } from '../training/index.js';
import { newLiveDisplay } from './display.js';
import { escapeMarkup } from './html.js';
import type { TrainingHistory } from './training-history.js';

/** Judges each evaluation of a training, and says in one sentence on the page if it has collapsed (see `findCollapse`). */
export class CollapseNotice {
  private readonly output = newLiveDisplay();
  private saidAt: number | undefined;

  /** @param training.warmup share of the steps; `chanceLoss` is the loss of outputs that are the same for every image */
  constructor(private readonly training: { steps: number; warmup: number; chanceLoss?: number }) {}

  /** @param history with that evaluation, and that before the first step */
  judge(event: Extract<TrainingEvent, { kind: 'evaluation' }>, { metrics }: TrainingHistory): Collapse | undefined {
    const { step } = event;
    const points = (name: string) => metrics.get(name)?.points() ?? [];
    const ofFirst = (name: string) => points(name).find((point) => point.step === 0)?.value;
    const [embeddingStd, rankMe] = [ofFirst('embeddingStd'), ofFirst('rankMe')];
    const collapse = findCollapse({
      first: embeddingStd === undefined || rankMe === undefined ? undefined : { embeddingStd, rankMe },
      now: { embeddingStd: Number(event.embeddingStd), rankMe: Number(event.rankMe) },
      ...(isSettled(step, this.training) && {
        losses: points('loss').flatMap((point) => (point.step > step / 2 ? [point.value] : [])),
      }),
      chanceLoss: this.training.chanceLoss,
    });
    if (collapse) this.say('Collapsed', `at step ${step}: ${collapse.shows}.`);
    else if (this.saidAt !== undefined)
      this.say('No longer collapsed', `at step ${step}; it was at step ${this.saidAt}.`);
    if (collapse) this.saidAt = step;
    return collapse;
  }

  private say(what: string, more: string): void {
    this.output.update({
      'text/plain': `${what} ${more}`,
      'text/html': `<p><strong>${escapeMarkup(what)}</strong> ${escapeMarkup(more)}</p>`,
    });
  }
}

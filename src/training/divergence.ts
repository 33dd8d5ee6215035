/** So many times the loss of uniform outputs is worse than knowing nothing can be. */
const times = 10;
/** So many steps in a row are no spike. */
const patience = 50;

/**
 * Tells a training that has diverged although its loss is still a number. Outputs that are all alike cost a known loss, the
 * logarithm of the number of classes for example; a network above ten times that is certain, and wrong. Single steps of a
 * sound training may be (a warm-up, a rare batch); after 50 in a row it has diverged. Losses that are bounded, as those
 * between vectors of unit length, seldom come so high: what fails there is a collapse, which monitors show.
 *
 * The steps in a row are counted anew where a training goes on from a checkpoint.
 */
export class DivergenceWatch {
  private inARow = 0;

  /** @param chanceLoss the loss of uniform outputs; undefined where there is none such, and nothing is told */
  constructor(private readonly chanceLoss: number | undefined) {}

  /** Takes the loss of the next step. */
  add(loss: number): void {
    const isHigh = this.chanceLoss !== undefined && loss > times * this.chanceLoss;
    this.inARow = isHigh ? this.inARow + 1 : 0;
  }

  /** Whether the last loss was so high: what the training left then should not replace an earlier checkpoint. */
  get isHigh(): boolean {
    return this.inARow > 0;
  }

  /** Why the training has to end, once it has diverged. */
  get reason(): string | undefined {
    if (this.inARow < patience) return undefined;
    return (
      `the training has diverged: for ${this.inARow} steps the loss was more than ${times} times that of outputs that are ` +
      `all alike (${Number(this.chanceLoss!.toPrecision(4))})`
    );
  }
}

import { checkClassNames } from '../evaluate/index.js';

/** A class that a network predicts. */
export interface PredictedClass {
  name: string;
  /** In overlays and in QuPath, `#rrggbb`. */
  color: string;
}

/**
 * @param most that there may be
 * @throws RangeError that names the class
 */
export function checkClasses(classes: readonly PredictedClass[], most: number): void {
  checkClassNames(classes.map(({ name }) => name));
  if (classes.length > most) throw new RangeError(`there may be ${most} classes; got ${classes.length}`);
  const odd = classes.find(({ color }) => !/^#[0-9a-f]{6}$/i.test(color));
  if (odd) throw new RangeError(`the color of "${odd.name}" is not #rrggbb; got "${odd.color}"`);
}

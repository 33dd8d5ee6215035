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
  if (classes.length < 2 || classes.length > most) {
    throw new RangeError(`a network tells 2 to ${most} classes; got ${classes.length}`);
  }
  for (const [place, { name, color }] of classes.entries()) {
    if (name === '') throw new RangeError(`class ${place} has no name`);
    if (classes.findIndex((other) => other.name === name) !== place) {
      throw new RangeError(`two classes are named "${name}"`);
    }
    if (!/^#[0-9a-f]{6}$/i.test(color)) throw new RangeError(`the color of "${name}" is not #rrggbb; got "${color}"`);
  }
}

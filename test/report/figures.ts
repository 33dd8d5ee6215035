import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { expect } from 'vitest';
import type { Figure } from '../../src/report/index.js';

const folder = new URL('../fixtures/figures/', import.meta.url).pathname;
/** Share of pixels: the same renderer and font draw on every machine, only rounding may differ. */
export const tolerance = 0.0005;

/**
 * Compares with the committed image of that name. What differs is written beside it as `<name>.changed.png`: look at
 * it, and if it is right, let it take the place of the old one.
 */
export async function expectFigure(image: Figure, name: string): Promise<void> {
  const committed = `${folder}${name}.png`;
  const changed = `${folder}${name}.changed.png`;
  const difference = existsSync(committed) ? await figureDifference(image.png, committed) : Number.POSITIVE_INFINITY;
  if (difference > tolerance) await writeFile(changed, image.png);
  expect(difference, `${name}.png has changed; look at ${changed}`).toBeLessThanOrEqual(tolerance);
}

/** Share of pixels that differ by more than an eye sees; 1 if the sizes differ. */
export async function figureDifference(one: Uint8Array | string, other: Uint8Array | string): Promise<number> {
  const [first, second] = await Promise.all(
    [one, other].map((image) => sharp(image).removeAlpha().raw().toBuffer({ resolveWithObject: true })),
  );
  if (first!.info.width !== second!.info.width || first!.info.height !== second!.info.height) return 1;
  let differing = 0;
  for (let at = 0; at < first!.data.length; at += 3) {
    const far = [0, 1, 2].some((channel) => Math.abs(first!.data[at + channel]! - second!.data[at + channel]!) > 24);
    if (far) differing++;
  }
  return differing / (first!.data.length / 3);
}

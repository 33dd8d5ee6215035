/** How large a slide's level-0 pixels are, and who says so. */
export interface Magnification {
  /** Size of a level-0 pixel, um. */
  mpp: number;
  source: 'mpp' | 'objective-power' | 'caller';
}

/** Usual pixel size of scanners at an objective power, um; a convention, not a measurement. */
const mppOfObjective: Record<string, number> = { '40': 0.25, '20': 0.5, '10': 1 };

/** Pixels outside this range, um, are not those of a microscope. */
const leastMpp = 0.02;
const mostMpp = 50;

/**
 * Finds the size of a slide's pixels: from `openslide.mpp-x` and `-y`, else from the objective power by convention,
 * else from the caller.
 *
 * @throws Error that lists what the file says when none of the three will do
 */
export function magnificationOf(
  properties: Readonly<Record<string, string>>,
  callersMpp: number | undefined,
  path: string,
): Magnification {
  const mppX = Number(properties['openslide.mpp-x']);
  const mppY = Number(properties['openslide.mpp-y']);
  if (plausible(mppX) && plausible(mppY)) {
    if (Math.abs(mppX / mppY - 1) > 0.02) {
      throw new Error(`${path}: pixels are not square (${mppX} x ${mppY} um); such slides are not supported`);
    }
    return { mpp: (mppX + mppY) / 2, source: 'mpp' };
  }
  const objective = properties['openslide.objective-power'];
  const conventional = objective === undefined ? undefined : mppOfObjective[String(Number(objective))];
  if (conventional !== undefined) return { mpp: conventional, source: 'objective-power' };
  if (callersMpp !== undefined) {
    if (!plausible(callersMpp)) {
      throw new RangeError(`mpp must be between ${leastMpp} and ${mostMpp} um; got ${callersMpp}`);
    }
    return { mpp: callersMpp, source: 'caller' };
  }
  const said = Object.entries(properties)
    .filter(([name]) => /mpp|objective|magnification|resolution|power/i.test(name))
    .map(([name, value]) => `${name} = ${value}`);
  throw new Error(
    `${path}: the size of a pixel is not known. The file says: ${said.join(', ') || 'nothing about it'}. ` +
      'Give it yourself: openSlide(path, { mpp: um per pixel })',
  );
}

function plausible(mpp: number): boolean {
  return mpp >= leastMpp && mpp <= mostMpp;
}

/** How pixels were brought from one size to another. */
export interface Resampling {
  /** Size of a pixel that was read, um. */
  from: number;
  /** Size of a pixel that came out, um. */
  to: number;
  /** Pixels out for each pixel in, along a side: over 1 is enlarged, and holds no more detail than before. */
  factor: number;
  direction: 'upsampled' | 'downsampled' | 'none';
}

export function resampling(from: number, to: number): Resampling {
  const factor = from / to;
  const direction = Math.abs(factor - 1) < 0.005 ? 'none' : factor > 1 ? 'upsampled' : 'downsampled';
  return { from, to, factor, direction };
}

/** How large a slide's level-0 pixels are, and who says so. */
export interface Magnification {
  /** Size of a level-0 pixel, um. */
  mpp: number;
  source: 'mpp' | 'objective-power' | 'caller';
  /** What another source says that does not fit, in words. */
  disagreement?: string;
}

/** Usual pixel size of scanners at an objective power, um; a convention, not a measurement. */
const mppOfObjective: Record<string, number> = { '40': 0.25, '20': 0.5, '10': 1, '5': 2 };

/** Pixels outside this range, um, are not those of a microscope. */
export const minMpp = 0.02;
export const maxMpp = 50;

/** Scanners' pixels differ so much from the convention of their objective; more is a contradiction. */
const defaultSpread = 1.4;
/** What the caller says may differ so much from the file: rounding. */
const rounding = 1.05;

/**
 * Finds the size of a slide's pixels: from `openslide.mpp-x` and `-y`, else from the objective power by convention,
 * else from the caller, whose word may also be put first. Where the sources do not fit together, the result says so.
 *
 * @throws Error that lists what the file says when none of the three will do
 */
export function magnificationOf(
  properties: Readonly<Record<string, string>>,
  { mpp: callersMpp, mppFrom = 'file' }: { mpp?: number; mppFrom?: 'file' | 'caller' },
  path: string,
): Magnification {
  if (callersMpp !== undefined && !isPixelSize(callersMpp)) {
    throw new RangeError(`mpp must be between ${minMpp} and ${maxMpp} um; got ${callersMpp}`);
  }
  const said = [
    { source: 'mpp' as const, mpp: mppOfFile(properties, path), words: 'its pixels are' },
    {
      source: 'objective-power' as const,
      mpp: mppOfObjective[String(Number(properties['openslide.objective-power']))],
      words: `its objective of ${properties['openslide.objective-power']}x usually gives`,
    },
    { source: 'caller' as const, mpp: callersMpp, words: 'the given size is' },
  ].filter((source): source is typeof source & { mpp: number } => source.mpp !== undefined);
  if (mppFrom === 'caller')
    said.sort((one, other) => Number(other.source === 'caller') - Number(one.source === 'caller'));
  const [first, ...others] = said;
  if (!first) throw new Error(unknownMagnification(properties, path));
  const against = others.filter(({ mpp, source }) =>
    differ(mpp, first.mpp, source === 'objective-power' ? defaultSpread : rounding),
  );
  const disagreement = against.map(({ words, mpp }) => `${words} ${rounded(mpp)} um`).join('; ');
  return {
    mpp: first.mpp,
    source: first.source,
    ...(disagreement && { disagreement: `${path}: ${first.words} ${rounded(first.mpp)} um, but ${disagreement}` }),
  };
}

const rounded = (mpp: number) => Number(mpp.toPrecision(4));
const differ = (one: number, other: number, spread: number) => Math.max(one / other, other / one) > spread;

function mppOfFile(properties: Readonly<Record<string, string>>, path: string): number | undefined {
  const mppX = Number(properties['openslide.mpp-x']);
  const mppY = Number(properties['openslide.mpp-y']);
  if (!isPixelSize(mppX) || !isPixelSize(mppY)) return undefined;
  if (differ(mppX, mppY, 1.02)) {
    throw new Error(`${path}: pixels are not square (${mppX} x ${mppY} um); such slides are not supported`);
  }
  return (mppX + mppY) / 2;
}

function unknownMagnification(properties: Readonly<Record<string, string>>, path: string): string {
  const said = Object.entries(properties)
    .filter(([name]) => /mpp|objective|magnification|resolution|power/i.test(name))
    .map(([name, value]) => `${name} = ${value}`);
  return (
    `${path}: the pixel size is unknown. The file says: ${said.join(', ') || 'nothing about it'}. ` +
    "Give it yourself: a table of slides takes a column mpp (source.columns.mpp in the dataset's definition), " +
    'openSlide(path, { mpp: um per pixel })'
  );
}

/** Whether a number can be the size of a microscope's pixels, um. */
export function isPixelSize(mpp: number): boolean {
  return mpp >= minMpp && mpp <= maxMpp;
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

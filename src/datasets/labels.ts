import type { SyntheticSlideRecord } from '../slides/index.js';

/** Share of a patch's tissue that must be of one kind; borders between kinds waver into the patches beside them. */
const leastPurity = 0.85;

/**
 * Name of the tissue kind that a patch of a synthetic slide shows; undefined where it straddles kinds or shows none.
 *
 * @param place top left corner and side, level-0 px
 */
export function labelOfPatch(
  { labelMap, umPerPixel, kinds }: Pick<SyntheticSlideRecord, 'labelMap' | 'umPerPixel' | 'kinds'>,
  place: { x: number; y: number; side: number },
): string | undefined {
  const cells = (pixels: number) => Math.round((pixels * umPerPixel) / labelMap.umPerCell);
  const counts = new Int32Array(kinds.length);
  let tissue = 0;
  for (let row = cells(place.y); row < Math.min(labelMap.height, cells(place.y + place.side)); row++) {
    for (let column = cells(place.x); column < Math.min(labelMap.width, cells(place.x + place.side)); column++) {
      const kind = labelMap.data[row * labelMap.width + column]!;
      if (kind < 0) continue;
      counts[kind]!++;
      tissue++;
    }
  }
  const most = counts.indexOf(Math.max(...counts));
  return tissue > 0 && counts[most]! >= leastPurity * tissue ? kinds[most] : undefined;
}

/** Glass around the tissue, um: one patch wide, so that patches on a grid from the slide's corner fit the tissue. */
export const marginMicrometers = 200;

/** Reach of the tissue's uneven outline beyond the planned rectangle, um. */
export const overhang = 30;

/** Which part of a slide is which kind of tissue. */
export interface Layout {
  /** Size of the slide, um. */
  widthMicrometers: number;
  heightMicrometers: number;
  blocks: readonly Block[];
  /** Index of the block at each micrometer, row by row; `glass` where there is no tissue. */
  plane: Int16Array;
}

/** A part of the slide that holds one kind; its rectangle reaches as far as the uneven border may go, um. */
export interface Block {
  /** Index into the slide's kinds. */
  kind: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const glass = -1;

/** Distance from the edge of a rectangle with round corners, um; negative outside. */
export function insideRounded(x: number, y: number, width: number, height: number): number {
  const corner = 45;
  const fromMiddleX = Math.abs(x - width / 2) - (width / 2 - corner);
  const fromMiddleY = Math.abs(y - height / 2) - (height / 2 - corner);
  if (fromMiddleX > 0 && fromMiddleY > 0) return corner - Math.hypot(fromMiddleX, fromMiddleY);
  return corner - Math.max(fromMiddleX, fromMiddleY);
}

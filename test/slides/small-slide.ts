import { key } from '../../src/base/index.js';
import { drawSite, type Lesion, type SyntheticSection, writeSection } from '../../src/slides/index.js';

/** Tissue in patches of 200 um; glass, 200 um wide, comes around it. */
export interface SmallTissue {
  columns: number;
  rows: number;
  kind?: string;
  lesions?: readonly Lesion[];
}

const none = { stroma: 0, epithelium: 0 };

/** A synthetic section at 0.5 um/px, scanned without blur; the same seed is the same section. */
export function smallSection(seed: string, { columns, rows, kind = 'acinar', lesions = [] }: SmallTissue) {
  const size = { widthMicrometers: 200 * columns, heightMicrometers: 200 * rows, cores: 1, outline: 'piece' } as const;
  const { stain, scanner } = drawSite('small', 0.5, key(seed).generator());
  return {
    tissue: { seed, patientSeed: seed, ...size, kind, mask: none, lesions },
    stain,
    scanner: { ...scanner, blurPixels: 0, jpegQuality: 80 },
  } satisfies SyntheticSection;
}

/** Writes a small slide. */
export async function writeSmallSlide(path: string, seed: string, tissue: SmallTissue): Promise<void> {
  await writeSection(smallSection(seed, tissue), { slide: path });
}

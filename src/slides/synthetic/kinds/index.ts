import type { TissueKind } from './kind.js';
import { organKinds } from './organs.js';
import { patternKinds } from './patterns.js';

export type { Place, TissueKind } from './kind.js';

/** All kinds, in the order of their labels. */
export const tissueKinds: readonly TissueKind[] = [...patternKinds, ...organKinds];

/** The kind of that name. */
export function tissueKind(name: string): TissueKind {
  const kind = tissueKinds.find((each) => each.name === name);
  if (!kind) {
    throw new RangeError(`no tissue kind "${name}"; known: ${tissueKinds.map((each) => each.name).join(', ')}`);
  }
  return kind;
}

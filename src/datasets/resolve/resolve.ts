import type { DatasetDefinition, DatasetOrigin } from '../definition.js';
import {
  type ExcludedSlide,
  faultsOfSlide,
  filesOf,
  type LockedSlide,
  type LockFile,
  listSha256,
  slideFaults,
  sortedById,
} from '../lock-file.js';
import { definitionSha256 } from '../read-definition.js';
import { listBucket } from './bucket.js';
import type { FileDigests } from './file-digests.js';
import { listFolder } from './folder.js';
import { listGdc } from './gdc.js';
import type { ListedSlide, SourceList } from './listed.js';
import { listPanda } from './panda.js';
import type { QueryOptions } from './query-with-retry.js';
import { listTable } from './table.js';

/** The first by id is kept, so that the source's order does not matter. */
type Excluded = ExcludedSlide;

/**
 * Lists a definition's source, and excludes what the definition excludes, each with its reason.
 *
 * @param source the definition's, or a mirror or folder in place of it
 * @param base the folder that the definition's relative paths start from
 * @param digests of the user's files, where the source is a folder of the user's
 * @throws Error when the source does not answer, its list is invalid, or a class is not in the definition's map
 */
export async function resolveDefinition(
  definition: DatasetDefinition,
  source: DatasetOrigin,
  base: string,
  options: QueryOptions,
  digests: FileDigests,
): Promise<LockFile> {
  const list = await listSource(source, base, options, digests);
  const excluded: Excluded[] = [...list.excluded];
  const kept = withoutRepeated(withoutUnwanted(list.slides, definition, excluded), definition, excluded);
  const slides = withoutFaults(classified(kept, definition, excluded), excluded);
  const wrong = slideFaults(slides);
  if (wrong.length > 0) {
    throw new Error(`${list.from} is invalid: ${wrong.slice(0, 5).join('; ')}${more(wrong.length - 5)}`);
  }
  if (slides.length === 0) {
    const reasons = excluded.slice(0, 3).map(({ id, reason }) => `  ${id}: ${reason}`);
    throw new Error(
      `${definition.name}: none of the ${excluded.length} ${definition.unit} in its list can be used. The first ` +
        `reasons:\n${reasons.join('\n')}`,
    );
  }
  return {
    format: 2,
    definition: definition.name,
    definitionSha256: definitionSha256(definition),
    unit: definition.unit,
    synthetic: definition.synthetic,
    origin: definition.origin.name,
    licence: definition.licence.name,
    resolvedFrom: list.from,
    listSha256: listSha256(slides),
    slides: sortedById(slides),
    excluded: sortedById(excluded),
  };
}

function listSource(
  source: DatasetOrigin,
  base: string,
  options: QueryOptions,
  digests: FileDigests,
): Promise<SourceList> {
  switch (source.kind) {
    case 'gdc':
      return listGdc(source, options);
    case 'bucket':
      return listBucket(source, options);
    case 'panda':
      return listPanda(source, base, digests);
    case 'folder':
      return listFolder(source, base, digests);
    case 'csv':
    case 'slides':
      return listTable(source, base, digests);
  }
}

/** Without the definition's exclusions and files that are too small to be slides. */
function withoutUnwanted(
  slides: readonly ListedSlide[],
  { exclusions, minimumBytes }: DatasetDefinition,
  excluded: Excluded[],
): ListedSlide[] {
  const reasons = new Map(exclusions.map(({ id, reason }) => [id, reason]));
  return slides.filter(({ id, file }) => {
    const reason =
      reasons.get(id) ??
      (file.bytes < minimumBytes
        ? `its ${file.bytes} bytes are fewer than ${minimumBytes}: a thumbnail, not a slide`
        : undefined);
    if (reason !== undefined) excluded.push({ id, reason });
    return reason === undefined;
  });
}

/**
 * Without slides with the same bytes as another. Precut patches may repeat, as blank ones do; the audit reports them.
 */
function withoutRepeated(
  slides: readonly ListedSlide[],
  { unit }: DatasetDefinition,
  excluded: Excluded[],
): ListedSlide[] {
  if (unit === 'patches') return [...slides];
  const first = new Map<string, string>();
  return sortedById(slides).filter(({ id, file }) => {
    const digest = file.sha256 ?? file.md5;
    if (digest === null) return true;
    const other = first.get(digest);
    // Duplicate ids are reported later.
    if (other === undefined || other === id) {
      first.set(digest, id);
      return true;
    }
    excluded.push({ id, reason: `the same bytes as ${other}` });
    return false;
  });
}

/** Each slide with its class, if it has one. */
function classified(
  slides: readonly ListedSlide[],
  { labels, name }: DatasetDefinition,
  excluded: Excluded[],
): LockedSlide[] {
  const kept: LockedSlide[] = [];
  const unknown = new Map<string, number>();
  const classes =
    labels.from === 'slide'
      ? new Map(Object.entries(labels.values).map(([word, itsClass]) => [word.toLowerCase(), itsClass]))
      : undefined;
  for (const { word, ...slide } of slides) {
    const itsClass = classes?.get(word?.toLowerCase() ?? '') ?? null;
    if (classes && itsClass === null) {
      const shown = word === null ? 'none' : JSON.stringify(word);
      unknown.set(shown, (unknown.get(shown) ?? 0) + 1);
      excluded.push({ id: slide.id, reason: `its class, ${shown}, is not in the definition's map` });
    } else if (labels.from === 'mask' && slide.mask === null) {
      excluded.push({ id: slide.id, reason: 'it has no mask' });
    } else if (labels.from === 'mask' && !labels.values['*'] && !labels.values[slide.site ?? '']) {
      throw new Error(`${slide.id} is of the site ${slide.site}, for which labels.values of ${name} has no map`);
    } else kept.push({ ...slide, class: itsClass });
  }
  if (unknown.size > 0 && labels.from === 'slide' && labels.unmapped === 'error') {
    const listed = [...unknown].map(([word, count]) => `${word} (${count})`).join(', ');
    throw new Error(
      `${name}: classes that are not in labels.values: ${listed}; the map has ` +
        `${Object.keys(labels.values).join(', ')}. Add them, or set labels.unmapped to "exclude"`,
    );
  }
  return kept;
}

/** Without invalid entries, and without all entries of a duplicate id or file, which are ambiguous. */
function withoutFaults(slides: readonly LockedSlide[], excluded: Excluded[]): LockedSlide[] {
  // File systems that ignore case would put two such slides into one file.
  const ids = timesEach(slides.map(({ id }) => id.toLowerCase()));
  const paths = timesEach(slides.flatMap(filesOf).map(({ path }) => path.toLowerCase()));
  return slides.filter((slide) => {
    const wrong = faultsOfSlide(slide);
    const count = ids.get(slide.id.toLowerCase())!;
    const shared = filesOf(slide).find(({ path }) => paths.get(path.toLowerCase())! > 1);
    if (shared) wrong.push(`its file ${shared.path} is in the list more than once; keep one entry`);
    else if (count > 1) {
      wrong.push(
        `its id occurs ${count} times, here for ${slide.file.path}: rename the files, or add to the table a ` +
          'column of ids (source.columns.id)',
      );
    }
    if (wrong.length > 0) excluded.push({ id: slide.id || '(no id)', reason: wrong.join('; '), fault: true });
    return wrong.length === 0;
  });
}

function timesEach(names: readonly string[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  return times;
}

function more(count: number): string {
  return count > 0 ? `; and ${count} more` : '';
}

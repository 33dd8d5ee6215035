import { readText, request } from '../../download/index.js';
import type { BucketSource } from '../definition.js';
import type { LockedFile } from '../lock-file.js';
import type { SourceList } from './listed.js';
import type { QueryOptions } from './query-with-retry.js';
import { queryWithRetry } from './query-with-retry.js';

interface StoredObject {
  key: string;
  bytes: number;
  etag: string | null;
}

/**
 * Lists a public bucket (ListObjectsV2, with continuation tokens) and finds the slides in it.
 *
 * @throws Error when the response is invalid, or no slide is found
 */
export async function listBucket(source: BucketSource, options: QueryOptions): Promise<SourceList> {
  const objects = await listObjects(source, options);
  const byKey = new Map(objects.map((object) => [object.key, object]));
  const isSlide = patternOf(`${source.prefix}${source.images}`);
  const list: SourceList = { slides: [], excluded: [], from: `${source.endpoint}/${source.prefix}` };
  for (const object of objects) {
    const id = isSlide.exec(object.key)?.[1];
    if (id === undefined) continue;
    const beside = (pattern: string | null): LockedFile | null => {
      const other = pattern === null ? undefined : byKey.get(`${source.prefix}${pattern.replace('{id}', id)}`);
      return other ? fileOf(other, source) : null;
    };
    const annotation = beside(source.annotations);
    if (annotation === null && source.annotatedPrefix !== null && id.startsWith(source.annotatedPrefix)) {
      list.excluded.push({ id, reason: 'it must have polygons, but the source has none' });
      continue;
    }
    list.slides.push({
      id,
      file: fileOf(object, source),
      // The source does not give patients: each slide is its own.
      patient: id,
      site: siteOf(id, source),
      word: null,
      mask: beside(source.masks),
      annotation,
      mpp: null,
    });
  }
  if (list.slides.length === 0) {
    throw new Error(`${list.from} lists ${objects.length} files, but none matches ${source.images}`);
  }
  return list;
}

async function listObjects(source: BucketSource, options: QueryOptions): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  const seen = new Set<string>();
  for (let token: string | undefined = ''; token !== undefined; ) {
    const query = new URLSearchParams({ 'list-type': '2', prefix: source.prefix });
    if (token !== '') query.set('continuation-token', token);
    const about = `${source.endpoint}/`;
    const text: string = await queryWithRetry(
      about,
      token,
      async () => readText(await request(`${about}?${query}`, options), about),
      options,
    );
    const page = parseListing(text, about);
    objects.push(...page.objects);
    options.onPage?.(objects.length, undefined);
    token = page.next;
    if (token !== undefined && seen.has(token)) throw new Error(`${about} returns the same page repeatedly`);
    if (token !== undefined) seen.add(token);
  }
  return objects;
}

/** Reads one page of a listing. It has only elements, so no general XML parser is needed. */
function parseListing(text: string, about: string): { objects: StoredObject[]; next: string | undefined } {
  if (!/<ListBucketResult[\s>]/.test(text) || /<!DOCTYPE/i.test(text)) {
    throw new Error(`${about} does not return a bucket listing: ${JSON.stringify(text.slice(0, 80))}`);
  }
  const objects = [...text.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)].map(([, part]) => {
    const key = element(part!, 'Key');
    const bytes = Number(element(part!, 'Size'));
    if (key === undefined || !Number.isSafeInteger(bytes)) {
      throw new Error(`${about} lists a file without a key or a size: ${part!.slice(0, 200)}`);
    }
    return { key, bytes, etag: element(part!, 'ETag') ?? null };
  });
  if (element(text, 'IsTruncated') !== 'true') return { objects, next: undefined };
  const next = element(text, 'NextContinuationToken');
  if (!next) throw new Error(`${about} says that its list continues, but gives no token`);
  return { objects, next };
}

function element(text: string, name: string): string | undefined {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(text);
  return found ? unescaped(found[1]!) : undefined;
}

const entities: Record<string, string> = { quot: '"', apos: "'", lt: '<', gt: '>', amp: '&' };

function unescaped(text: string): string {
  return text.replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return entities[name as string] ?? whole;
  });
}

function patternOf(pattern: string): RegExp {
  const [before, after] = pattern.split('{id}').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${before}([^/]+)${after}$`);
}

function fileOf({ key, bytes, etag }: StoredObject, source: BucketSource): LockedFile {
  return {
    path: key.slice(source.prefix.length),
    remote: key,
    bytes,
    md5: null,
    sha256: null,
    etag,
  };
}

function siteOf(id: string, source: BucketSource): string | null {
  const [, prefix, number] = /^(.*?)(\d+)$/.exec(id) ?? [];
  const place = source.sites.find(({ ids }) =>
    ids.some((range) => range.prefix === prefix && range.first <= Number(number) && Number(number) <= range.last),
  );
  return place?.site ?? null;
}

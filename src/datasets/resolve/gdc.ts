import { readText, request } from '../../download/index.js';
import type { GdcSource } from '../definition.js';
import { isObject } from '../schema.js';
import type { ListedSlide, SourceList } from './listed.js';
import { type QueryOptions, queryWithRetry } from './query-with-retry.js';

const pageSize = 1000;
const fields = ['file_id', 'file_name', 'md5sum', 'file_size', 'cases.submitter_id', 'cases.primary_site'];

interface Hit {
  file_id: string;
  file_name: string;
  md5sum: string;
  file_size: number;
  cases?: { submitter_id: string; primary_site?: string }[];
}

/**
 * Lists all files of a query to the Genomic Data Commons' files endpoint, page by page.
 *
 * @throws Error when the response is invalid, or the list changes while it is read
 */
export async function listGdc(source: GdcSource, options: QueryOptions): Promise<SourceList> {
  const hits = new Map<string, Hit>();
  let total: number | undefined;
  for (let from = 0; total === undefined || from < total; from += pageSize) {
    const page = await queryWithRetry(`${source.endpoint}/files`, from, () => askPage(source, from, options), options);
    if (total !== undefined && page.total !== total) {
      throw new Error(`the list of ${source.endpoint} changed while it was read (${total}, then ${page.total} files)`);
    }
    total = page.total;
    for (const hit of page.hits) hits.set(hit.file_id, hit);
    options.onPage?.(hits.size, total);
  }
  if (hits.size !== total) {
    throw new Error(`${source.endpoint} announces ${total} files, but its pages hold ${hits.size} different ones`);
  }
  const list: SourceList = { slides: [], excluded: [], from: `${source.endpoint}/files` };
  for (const hit of hits.values()) {
    const id = hit.file_name.replace(/\.[^.]+$/, '').replaceAll('.', '_');
    // A slide of two patients could not be put in one split.
    const cases = hit.cases?.length ?? 0;
    if (cases === 1) list.slides.push(slideOf(id, hit));
    else list.excluded.push({ id, reason: `the source lists ${cases} cases for it, not one` });
  }
  return list;
}

async function askPage(
  source: GdcSource,
  from: number,
  options: QueryOptions,
): Promise<{ hits: Hit[]; total: number }> {
  const about = `${source.endpoint}/files`;
  const answer = await request(about, {
    ...options,
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    // In the order of ids, so that pages neither overlap nor leave gaps.
    body: JSON.stringify({
      filters: source.filters,
      fields: fields.join(','),
      format: 'JSON',
      size: pageSize,
      from,
      sort: 'file_id:asc',
    }),
  });
  const text = await readText(answer, about);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Error(`${about} does not return JSON: ${JSON.stringify(text.slice(0, 80))}`);
  }
  const { data } = content as { data?: { hits?: Hit[]; pagination?: { total?: number } } };
  const total = data?.pagination?.total;
  if (!data || !Array.isArray(data.hits) || !Number.isSafeInteger(total)) {
    throw new Error(`${about} returns an unexpected response: data.hits or data.pagination is missing`);
  }
  for (const hit of data.hits) checkHit(hit, about);
  return { hits: data.hits, total: total! };
}

function checkHit(hit: unknown, about: string): void {
  const right =
    isObject(hit) &&
    typeof hit.file_id === 'string' &&
    /^[0-9a-f-]{36}$/.test(hit.file_id) &&
    typeof hit.file_name === 'string' &&
    /^[0-9a-f]{32}$/.test(String(hit.md5sum)) &&
    Number.isSafeInteger(hit.file_size);
  if (!right)
    throw new Error(`${about} lists a file without id, name, MD5 or size: ${JSON.stringify(hit).slice(0, 200)}`);
}

function slideOf(id: string, hit: Hit): ListedSlide {
  const [{ submitter_id: patient, primary_site: primarySite }] = hit.cases as [NonNullable<Hit['cases']>[0]];
  return {
    id,
    file: {
      path: `slides/${hit.file_name}`,
      remote: `data/${hit.file_id}`,
      bytes: hit.file_size,
      md5: hit.md5sum,
      sha256: null,
      etag: null,
    },
    patient,
    // TCGA-XX-YYYY: the tissue source site is the barcode's second field.
    site: /^TCGA-(\w+)-/.exec(patient)?.[1] ?? null,
    word: primarySite ?? null,
    mask: null,
    annotation: null,
    mpp: null,
  };
}

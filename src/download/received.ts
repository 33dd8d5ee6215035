import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/files.js';

/** A file to be in a folder, and what is known of it. */
export interface WantedFile {
  /** Place in the folder: a relative path without "..". */
  path: string;
  bytes: number;
  md5: string | null;
  sha256: string | null;
  etag: string | null;
}

/** What `received/<path>.json` says of a file that arrived whole: what it was then, and must be ever after. */
export interface ReceivedRecord {
  path: string;
  bytes: number;
  sha256: string;
  md5: string;
  etag: string | null;
  /** When the file was last written; while that and the size stand, it is not read again. */
  modifiedMs: number;
}

/** The record of a file that arrived earlier; undefined if none did. */
export function readReceived(folder: string, path: string): ReceivedRecord | undefined {
  let text: string;
  try {
    text = readFileSync(recordPath(folder, path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const record = JSON.parse(text) as ReceivedRecord;
  if (record.path !== path || !/^[0-9a-f]{64}$/.test(record.sha256)) {
    throw new Error(`${recordPath(folder, path)} is not a record of ${path}; delete it and the file to get both again`);
  }
  return record;
}

export async function writeReceived(folder: string, record: ReceivedRecord): Promise<void> {
  await writeFileAtomic(recordPath(folder, record.path), `${JSON.stringify(record)}\n`);
}

function recordPath(folder: string, path: string): string {
  return join(folder, 'received', `${path}.json`);
}

/**
 * Whether a file is there and is what it must be. One that is not goes into quarantine, so that nobody takes it for
 * what it should be.
 *
 * @param everyByte reads the file even if it looks untouched since it arrived
 * @returns its record; undefined when it is to be downloaded
 */
export async function verifyDownload(
  folder: string,
  wanted: WantedFile,
  everyByte: boolean,
): Promise<ReceivedRecord | undefined> {
  const place = join(folder, wanted.path);
  const facts = await stat(place).catch(() => undefined);
  if (!facts) return undefined;
  const record = readReceived(folder, wanted.path);
  const untouched = !everyByte && isUntouched(facts, record);
  const found = untouched ? record : { bytes: facts.size, ...(await digests(place)) };
  const wrong = differences(wanted, record, found);
  if (wrong.length > 0) {
    await quarantine(folder, wanted.path, place, wrong);
    return undefined;
  }
  if (untouched) return record;
  const fresh = { path: wanted.path, ...found, etag: record?.etag ?? wanted.etag, modifiedMs: facts.mtimeMs };
  await writeReceived(folder, fresh);
  return fresh;
}

/**
 * The record of a file that lies as it arrived and is what the list says; undefined for any other. No file is read, and
 * none is moved: `verifyDownload` has the last word on those that have no record or were touched.
 */
export function untouchedRecord(folder: string, wanted: WantedFile): ReceivedRecord | undefined {
  const facts = statSync(join(folder, wanted.path), { throwIfNoEntry: false });
  const record = facts && readReceived(folder, wanted.path);
  return facts && isUntouched(facts, record) && differences(wanted, record, record).length === 0 ? record : undefined;
}

function isUntouched(
  facts: { size: number; mtimeMs: number },
  record: ReceivedRecord | undefined,
): record is ReceivedRecord {
  return record !== undefined && facts.size === record.bytes && facts.mtimeMs === record.modifiedMs;
}

/** In what a file differs from what the list says, and from what arrived at the first download. */
export function differences(
  wanted: WantedFile,
  record: ReceivedRecord | undefined,
  found: { bytes: number; sha256: string; md5: string },
): string[] {
  const wrong: string[] = [];
  const compare = (name: string, is: string | number, must: string | number | null | undefined, by: string) => {
    if (must !== null && must !== undefined && is !== must) wrong.push(`its ${name} is ${is}, but ${by} says ${must}`);
  };
  compare('size', found.bytes, wanted.bytes, 'the list');
  compare('MD5', found.md5, wanted.md5, 'the list');
  compare('SHA-256', found.sha256, wanted.sha256, 'the list');
  // A list that was resolved anew may announce another content; its own checksum then has the last word.
  if (wanted.md5 === null && wanted.sha256 === null && record?.bytes === wanted.bytes) {
    compare('SHA-256', found.sha256, record.sha256, 'the record of the first download');
  }
  return wrong;
}

export function quarantinePath(folder: string, path: string): string {
  return join(folder, 'quarantine', path);
}

async function quarantine(folder: string, path: string, place: string, wrong: readonly string[]): Promise<void> {
  const bad = quarantinePath(folder, path);
  await mkdir(dirname(bad), { recursive: true });
  await rename(place, bad);
  await explainQuarantine(folder, path, wrong);
}

/** Writes why a file is in quarantine beside it. */
export async function explainQuarantine(folder: string, path: string, wrong: readonly string[]): Promise<void> {
  await writeFileAtomic(`${quarantinePath(folder, path)}.reason.json`, `${JSON.stringify({ path, wrong }, null, 2)}\n`);
}

/** What was wrong with a file no longer matters once a good one has arrived. */
export async function clearQuarantine(folder: string, path: string): Promise<void> {
  await rm(quarantinePath(folder, path), { force: true });
  await rm(`${quarantinePath(folder, path)}.reason.json`, { force: true });
}

async function digests(path: string): Promise<{ sha256: string; md5: string }> {
  const hashes = { sha256: createHash('sha256'), md5: createHash('md5') };
  for await (const chunk of createReadStream(path)) {
    hashes.sha256.update(chunk as Buffer);
    hashes.md5.update(chunk as Buffer);
  }
  return { sha256: hashes.sha256.digest('hex'), md5: hashes.md5.digest('hex') };
}

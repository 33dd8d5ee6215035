import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/files.js';

/** A file of a folder, with its known properties. */
export interface WantedFile {
  /** Place in the folder: a relative path without "..". */
  path: string;
  bytes: number;
  md5: string | null;
  sha256: string | null;
  etag: string | null;
}

/** Contents of `received/<path>.json`: the properties of a completely downloaded file, which it must keep. */
export interface ReceivedRecord {
  path: string;
  bytes: number;
  sha256: string;
  md5: string;
  etag: string | null;
  /** Modification time; while this and the size are unchanged, the file is not read again. */
  modifiedMs: number;
}

/** The record of an earlier download; undefined if there is none. */
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
    throw new Error(
      `${recordPath(folder, path)} is not a record of ${path}; delete it and the file to download both again`,
    );
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
 * Checks an existing file. A wrong one is quarantined.
 *
 * @param everyByte reads the file even if it looks unchanged since its download
 * @returns its record; undefined if it must be downloaded
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
 * The record of a file that is unchanged since its download and matches the list; undefined for any other. No file is
 * read or moved: `verifyDownload` checks files without a record or with changes.
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

/** How a file differs from the list and from the first download. */
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
  // A refreshed list may announce new content; its checksum then decides.
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

/** Writes the reason beside a quarantined file. */
export async function explainQuarantine(folder: string, path: string, wrong: readonly string[]): Promise<void> {
  await writeFileAtomic(`${quarantinePath(folder, path)}.reason.json`, `${JSON.stringify({ path, wrong }, null, 2)}\n`);
}

/** Removes the quarantined files once a good one has arrived. */
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

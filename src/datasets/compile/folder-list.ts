import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Claim, ClaimWatch, canonicalJson, claimOwner, sha256, throwIfInterrupted } from '../../runs/index.js';
import { inOrder } from '../lock-file.js';
import { aboutDataset, type SlideDataset } from './dataset.js';

/**
 * What is to lie in a folder, beside how it is cut: in parts, so that two that differ can be told apart in words. Where
 * files lie is not part of it; it may differ from machine to machine.
 */
export interface CompiledList {
  unit: 'slides' | 'patches';
  count: number;
  ids: string;
  facts: string;
  labels: string;
  definition: string;
  leftOut: string;
}

export function compiledList({ definition, slides, excluded = [] }: SlideDataset): CompiledList {
  const ordered = inOrder(slides);
  return {
    unit: definition.unit,
    count: slides.length,
    ids: hashOf(ordered, ({ id }) => id),
    facts: hashOf(ordered, ({ path: _, mask, annotation, ...facts }) => ({
      ...facts,
      mask: mask !== null,
      annotation: annotation !== null,
    })),
    labels: sha256(canonicalJson(definition.labels)),
    definition: sha256(canonicalJson(aboutDataset(definition))),
    leftOut: hashOf(inOrder(excluded), (entry) => entry),
  };
}

/** Record by record: millions of patches are more than one text can hold. */
function hashOf<T>(records: readonly T[], part: (record: T) => unknown): string {
  const hash = createHash('sha256');
  for (const record of records) hash.update(`${canonicalJson(part(record))}\n`);
  return hash.digest('hex');
}

export interface WaitOptions {
  onWait?: (reason: string) => void;
  signal?: AbortSignal;
}

/** How often what others compile is looked at, ms. */
const lookEvery = 500;

/**
 * One process's place among those that compile a folder at once. They must all compile the same list: of two lists, each
 * would take the other's shards for outdated, and the index would be of whichever ended last.
 */
export class FolderList {
  private constructor(
    private readonly folder: string,
    private readonly list: CompiledList,
    private claim: Claim,
  ) {}

  /**
   * Where the owner of an earlier list cannot be asked, as on another machine, waits until it has shown itself, or has not
   * for a minute.
   *
   * @param folder with a folder `claims`
   * @param watch.onWait called, with the reason, before it waits for such an owner
   * @throws Error when another process compiles another list there; InterruptedError when `signal` aborts
   */
  static async join(folder: string, list: CompiledList, watch: WaitOptions = {}): Promise<FolderList> {
    return new FolderList(folder, list, await enter(folder, list, watch));
  }

  /** Makes sure of the place again: others may have taken this process for ended while it, or its disk, stood still. */
  async renew(): Promise<void> {
    if (!(await this.claim.holds())) this.claim = await enter(this.folder, this.list);
  }

  /** Takes away as well what processes left here that were killed. */
  async leave(): Promise<void> {
    await this.claim.release();
    const watch = new ClaimWatch();
    for (const path of await entriesOf(this.folder).catch(() => [])) await watch.clearIfStale(path);
  }
}

/** One at a time, so that of two that come at once with different lists one is let in. */
async function enter(folder: string, list: CompiledList, { signal, onWait }: WaitOptions = {}): Promise<Claim> {
  const watch = new ClaimWatch();
  const gatePath = join(folder, 'claims', '_gate.json');
  let gate = await Claim.take(gatePath);
  while (!gate) {
    if (!(await watch.clearIfStale(gatePath))) await pause(signal);
    gate = await Claim.take(gatePath);
  }
  try {
    const entries = await entriesOf(folder);
    // All are watched from now on: who has to wait does so once.
    for (const path of entries) await watch.look(path);
    for (const path of entries) await requireSame(folder, path, list, { watch, signal, onWait });
    return (await Claim.take(join(folder, 'claims', `_list-${gate.nonce}.json`), list))!;
  } finally {
    await gate.release();
  }
}

async function requireSame(
  folder: string,
  path: string,
  list: CompiledList,
  { watch, signal, onWait }: WaitOptions & { watch: ClaimWatch },
): Promise<void> {
  let told = false;
  for (;;) {
    const state = await watch.look(path);
    if (state === 'gone') {
      await watch.clearIfStale(path);
      return;
    }
    const owner = await claimOwner(path);
    const other = owner?.about as CompiledList | undefined;
    if (other && canonicalJson(other) === canonicalJson(list)) return;
    if (other && state === 'held') {
      throw new Error(
        `${folder} is being compiled from another list, by process ${owner!.pid} on ${owner!.host}: ` +
          `${differences(list, other)}. Of two lists each would undo the other's shards: compile again when that process ` +
          'has ended, or into another folder (--data FOLDER)',
      );
    }
    if (!told) {
      const whose = owner ? `process ${owner.pid} on ${owner.host}` : 'a process';
      onWait?.(
        `${whose} compiled another list in ${folder} and may have ended: waiting a minute to see whether it is at work`,
      );
      told = true;
    }
    await pause(signal);
  }
}

/** What two lists differ in, for people. */
export function differences(own: CompiledList, other: CompiledList): string {
  const { unit } = own;
  const found: string[] = [];
  if (own.unit !== other.unit) found.push(`it is of ${other.unit}, and this one of ${unit}`);
  else if (own.count !== other.count) found.push(`it has ${other.count} ${unit}, and this one ${own.count}`);
  else if (own.ids !== other.ids) found.push(`both have ${own.count} ${unit}, and not the same ones`);
  else if (own.facts !== other.facts) {
    found.push(`of the same ${unit} it says otherwise what patient, site, class, side, pixel size or file is theirs`);
  }
  if (own.labels !== other.labels) found.push("its definition's rule for labels is another");
  if (own.definition !== other.definition) found.push("its definition's title, licence, split or notes are others");
  if (own.leftOut !== other.leftOut) found.push('what it leaves out, or why, is not the same');
  return found.join('; ');
}

async function entriesOf(folder: string): Promise<string[]> {
  const names = (await readdir(join(folder, 'claims'))).filter((name) => name.startsWith('_list-'));
  return names.sort().map((name) => join(folder, 'claims', name));
}

async function pause(signal?: AbortSignal): Promise<void> {
  throwIfInterrupted(signal, 'waiting for another process that compiles the same folder');
  await sleep(lookEvery);
}

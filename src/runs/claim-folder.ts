import { join } from 'node:path';
import { Claim, ClaimWatch, claimOwner } from './claims.js';

/** The claims of this process by their paths: who opens a run again takes its own claim over. */
const claims = new Map<string, Claim>();

/**
 * Claims a part of a run's folder for this process: nobody else writes the `run`, or the `page`.
 *
 * @throws Error that says who else has it
 */
export async function claimFolder(folder: string, part: 'run' | 'page'): Promise<Claim> {
  const path = join(folder, `.${part}-claim`);
  await claims.get(path)?.release();
  const claim = (await Claim.take(path)) ?? (await takeOver(path));
  if (claim) {
    claims.set(path, claim);
    return claim;
  }
  const owner = await claimOwner(path);
  throw new Error(
    `${folder} is being written by process ${owner?.pid} on ${owner?.host}: wait until it ends, or stop it. ` +
      `If that process is gone, delete ${path}`,
  );
}

/** Takes the claim of an owner that is gone; of several that would, one does: who has the claim on the takeover. */
async function takeOver(path: string): Promise<Claim | undefined> {
  const watch = new ClaimWatch();
  await watch.clearIfStale(`${path}-takeover`);
  const takeover = await Claim.take(`${path}-takeover`);
  if (!takeover) return undefined;
  try {
    await watch.clearIfStale(path);
    return await Claim.take(path);
  } finally {
    await takeover.release();
  }
}

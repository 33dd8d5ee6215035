import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Claim, ClaimWatch } from '../../src/runs/claims.js';
import { temporaryFolder } from '../datasets/small-dataset.js';

const path = () => join(temporaryFolder(), 'claim.json');

describe('a claim', () => {
  it('is held by one, and free again after its release', async () => {
    const claim = path();
    const first = await Claim.take(claim);
    expect(await Claim.take(claim)).toBeUndefined();
    expect(await new ClaimWatch().clearIfStale(claim)).toBe(false);
    await first!.release();
    expect(existsSync(claim)).toBe(false);
    const second = await Claim.take(claim);
    expect(await second!.holds()).toBe(true);
    await second!.release();
  });

  it('is cleared at once when its owner on this machine has ended', async () => {
    const claim = path();
    const mine = await Claim.take(claim);
    const owner = JSON.parse(readFileSync(claim, 'utf8')) as { pid: number };
    const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await once(child, 'exit');
    writeFileSync(claim, JSON.stringify({ ...owner, pid: child.pid }));
    expect(await mine!.holds()).toBe(true);
    expect(await new ClaimWatch().clearIfStale(claim)).toBe(true);
    expect(await mine!.holds()).toBe(false);
    await mine!.release();
  });

  it("is cleared when a later process has its owner's number", async () => {
    const claim = path();
    const mine = await Claim.take(claim);
    const owner = JSON.parse(readFileSync(claim, 'utf8')) as { pid: number };
    writeFileSync(claim, JSON.stringify({ ...owner, started: '1' }));
    expect(await new ClaimWatch().clearIfStale(claim)).toBe(true);
    await mine!.release();
  });

  it('of another is not released by one who has lost it', async () => {
    const claim = path();
    const first = await Claim.take(claim);
    writeFileSync(claim, JSON.stringify({ machine: 'another', pid: 1, started: null, nonce: 'theirs' }));
    await first!.release();
    expect(existsSync(claim)).toBe(true);
    expect(await new ClaimWatch().clearIfStale(claim)).toBe(false);
  });
});

import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { meet, type Rendezvous } from '../../src/engine/index.js';
import { freePort } from '../../src/training/supervise-workers.js';

const job = async (others: Partial<Rendezvous> = {}): Promise<Rendezvous> => ({
  ...{ index: 0, count: 2, host: '127.0.0.1', port: await freePort(), job: 'one', timeoutSeconds: 20 },
  ...others,
});
const messageOf = (meeting: Promise<unknown>) =>
  meeting.then(
    () => 'met',
    ({ message }: Error) => message,
  );

describe('meet', () => {
  it('tells each worker the addresses of all and what the first one says, in whatever order they come', async () => {
    const base = await job({ count: 4 });
    const met = await Promise.all([3, 1, 0, 2].map((index) => meet({ ...base, index, word: `of ${index}` })));
    const [{ addresses }] = met as [(typeof met)[0]];
    expect(new Set(addresses).size).toBe(4);
    for (const address of addresses) expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    for (const meeting of met) expect(meeting).toEqual({ addresses, word: 'of 0' });
  });

  it('keeps two jobs apart that meet at one port, and refuses who does not belong', async () => {
    const base = await job();
    const first = meet(base);
    const refused = [{ job: 'another' }, { count: 3 }, { index: 5 }].map((other) =>
      messageOf(meet({ ...base, index: 1, ...other })),
    );
    expect(await Promise.all(refused)).toEqual([
      expect.stringMatching(/worker 1 was refused .* another job \(one\) has this port/),
      expect.stringMatching(/the job has 2 workers, not 3/),
      expect.stringMatching(/of 2 workers, 5 is none/),
    ]);
    expect(await messageOf(meet({ ...base, job: 'another' }))).toMatch(/could not open port \d+.* take another port/);
    expect(await meet({ ...base, index: 1 })).toEqual(await first);
  });

  it('refuses a second worker of the same index', async () => {
    const base = await job({ count: 3 });
    const all = [0, 1].map((index) => meet({ ...base, index }));
    const twin = messageOf(meet({ ...base, index: 1 }));
    // Whichever of the two came second.
    const met = Promise.all([messageOf(all[1]!), twin]);
    all.push(meet({ ...base, index: 2 }));
    const messages = await Promise.race([met, all[0]!.then(() => met)]);
    expect(messages.filter((message) => message === 'met')).toHaveLength(1);
    expect(messages.join()).toMatch(/there is a worker 1 already/);
    await Promise.allSettled(all);
  });

  it('names who does not come in time', async () => {
    const base = await job({ count: 3, timeoutSeconds: 4 });
    const messages = await Promise.all([0, 2].map((index) => messageOf(meet({ ...base, index }))));
    expect(messages[0]).toBe('of 3 workers, 1 did not come within 4 s');
    expect(messages[1]).toMatch(/worker 2 of 3 was not answered by the first one at 127\.0\.0\.1:\d+ within 4 s/);
    // Its port is free again.
    await once(createServer().listen(base.port, '127.0.0.1').unref(), 'listening');
  });
});

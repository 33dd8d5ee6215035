import type { ChildProcess } from 'node:child_process';

/** What a process answers to another that it has started: functions by name, of one argument. */
export type Answers = Readonly<Record<string, (argument: never) => unknown>>;

type Call = { id: number; name: string; argument: unknown };
type Answer = { id: number } & ({ result: unknown } | { error: string });

/**
 * Answers the calls of a child process (see `parentCalls`). Arguments and results are copies (structured clones).
 *
 * @param child started with a channel (`ipc`) and `serialization: 'advanced'`
 */
export function answerCalls(child: ChildProcess, answers: Answers): void {
  child.on('message', async ({ id, name, argument }: Call) => {
    let answer: Answer;
    try {
      answer = { id, result: await answers[name]!(argument as never) };
    } catch (error) {
      answer = { id, error: (error as Error).message };
    }
    // A child that has ended meanwhile needs no answer.
    if (child.connected) child.send(answer, () => {});
  });
}

/**
 * Calls what the process that has started this one answers; of a program that was started so, once.
 *
 * @returns a function whose promise rejects with the other's error, or when the other is gone
 */
export function parentCalls(): (name: string, argument?: unknown) => Promise<unknown> {
  const waiting = new Map<number, (answer: Answer) => void>();
  let calls = 0;
  process.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  process.on('disconnect', () => {
    for (const [id, give] of waiting) give({ id, error: 'the process that started this one is gone' });
  });
  return (name, argument) =>
    new Promise((resolve, reject) => {
      const id = calls++;
      waiting.set(id, (answer) => ('error' in answer ? reject(new Error(answer.error)) : resolve(answer.result)));
      process.send!({ id, name, argument } satisfies Call, (error: Error | null) => {
        if (error) reject(error);
      });
    });
}

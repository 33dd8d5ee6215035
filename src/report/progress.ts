import { newLiveDisplay } from './display.js';
import { escapeMarkup } from './html.js';

/** The state of a long job in one output that changes in place. */
export interface Progress {
  /** Sets the units done so far, and optionally the current activity. */
  update(done: number, note?: string): void;
  /** Shows the final state: units done and duration. */
  finish(note?: string): void;
}

/**
 * @param total the units of work, for instance steps or slides
 * @param everySeconds minimum time between updates
 */
export function progress(title: string, total: number, everySeconds = 0.5): Progress {
  const output = newLiveDisplay();
  const started = performance.now();
  let done = 0;
  let shownAt = Number.NEGATIVE_INFINITY;
  const seconds = () => (performance.now() - started) / 1000;
  const show = (note: string | undefined) => {
    const words = [`${title}: ${done} of ${total}`, duration(seconds()), ...(note ? [note] : [])].join(', ');
    output.update({
      'text/plain': words,
      'text/html': `<progress value="${done}" max="${total}"></progress> ${escapeMarkup(words)}`,
    });
    shownAt = performance.now();
  };
  return {
    update(nowDone, note) {
      done = nowDone;
      if (performance.now() - shownAt >= everySeconds * 1000) show(note);
    },
    finish(note) {
      show(note);
    },
  };
}

/**
 * Runs a job that reports its progress, and shows it until the job ends.
 *
 * @param job calls its argument with done and total; nothing is shown before the first call
 */
export async function withProgress<Result>(
  title: string,
  job: (report: (done: number, total: number, note?: string) => void) => Promise<Result>,
): Promise<Result> {
  let shown: Progress | undefined;
  let lastNote: string | undefined;
  try {
    return await job((done, total, note) => {
      shown ??= progress(title, total);
      shown.update(done, note);
      lastNote = note;
    });
  } finally {
    shown?.finish(lastNote);
  }
}

/** A formatted duration: `4.2 s`, `2 min 5 s`, `1 h 3 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

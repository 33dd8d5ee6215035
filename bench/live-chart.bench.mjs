// What the live chart costs a training of 400,000 steps with 800 evaluations, near its end. The value is the cost of an
// update of the output, which is sent every two seconds at most. There is no peer.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { liveTrainingChart, trainingHistory } from '../dist/report/index.js';
import { EventLog } from '../dist/runs/index.js';
import { reportValue } from './report.mjs';
import { median } from './worker.mjs';

const steps = 400_000;
const stepsPerEvaluation = 500;
const updates = 9;

let sent;
/** As the notebook kernel: a message goes to another process as JSON. */
globalThis[Symbol.for('pathlab.kernel')] = {
  display: (message) => {
    sent = JSON.stringify(message);
  },
};

function eventsOf(step) {
  const loss = 1 + 3 * Math.exp(-step / 50_000) + 0.2 * Math.sin(step ** 2);
  const events = [{ kind: 'step', step, steps, loss, learningRate: 0.1, imagesPerSecond: 512 }];
  if (step % stepsPerEvaluation === 0)
    events.push({ kind: 'evaluation', step, knnAccuracy: 0.5 + (0.4 * step) / steps });
  return events;
}

async function millisecondsOf(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const folder = mkdtempSync(join(tmpdir(), 'pathlab-live-chart-'));
try {
  const log = await EventLog.open(join(folder, 'events.jsonl'));
  const chart = liveTrainingChart({
    title: 'SimCLR',
    totalSteps: steps,
    panels: [
      { title: 'NT-Xent loss', metrics: ['loss'], reference: { value: 4, label: 'all views alike' } },
      { title: 'kNN accuracy', metrics: ['knnAccuracy'], domain: [0, 1], format: '.0%' },
    ],
  });

  let adding = 0;
  let appending = 0;
  for (let step = 1; step <= steps - updates; step++) {
    const events = eventsOf(step);
    appending += await millisecondsOf(() => {
      for (const event of events) void log.append(event);
    });
    const began = performance.now();
    for (const event of events) await chart.add(event);
    adding += performance.now() - began;
  }
  await log.sync();
  for (let more = 0; more < stepsPerEvaluation; more++) void log.append(eventsOf(steps)[0]);
  const syncing = await millisecondsOf(() => log.sync());

  const sending = [];
  for (let step = steps - updates + 1; step <= steps; step++) {
    await setTimeout(2100);
    sent = undefined;
    sending.push(await millisecondsOf(() => chart.add(eventsOf(step)[0])));
    if (!sent) throw new Error(`step ${step} did not update the chart`);
  }
  const kilobytes = sent.length / 1000;
  const reading = await millisecondsOf(() => trainingHistory(log.path));
  const finishing = await millisecondsOf(() => chart.finish());

  const shown = (milliseconds) => milliseconds.toPrecision(2);
  reportValue('live-chart', {
    work: `the live chart of a training of ${steps} steps, on ${cpus()[0].model}`,
    columns: { what: 'what', milliseconds: 'ms' },
    rows: [
      { what: 'an event to the log, mean', milliseconds: shown(appending / steps) },
      { what: 'an event to the chart, mean', milliseconds: shown(adding / steps) },
      {
        what: `an update of the output, ${kilobytes.toFixed(0)} kB, median of ${updates}`,
        milliseconds: shown(median(sending)),
      },
      { what: 'the slowest of these', milliseconds: shown(Math.max(...sending)) },
      { what: `${stepsPerEvaluation} steps more in the log synced, for a checkpoint`, milliseconds: syncing },
      { what: 'the history read from the log, once when a training resumes', milliseconds: reading },
      { what: 'the last drawing, with its image', milliseconds: finishing },
    ],
    value: median(sending),
    unit: 'ms',
  });
} finally {
  rmSync(folder, { recursive: true });
}

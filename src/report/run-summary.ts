import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { canonicalJson, projectRoot } from '../base/index.js';
import type { Metric } from '../runs/index.js';

/** What the gallery says of one run folder. */
export interface RunSummary {
  folder: string;
  notebook: string;
  scale: string;
  /** The notebook's first heading. */
  title: string;
  status: 'finished' | 'failed' | 'interrupted' | 'unfinished';
  /** When it ended, or was last heard of: milliseconds since 1970, as the run itself says. */
  time: number;
  /** From 1: how often it was begun after it had been finished. */
  attempt: number;
  /** What it was asked for, with its seed. */
  parameters: Readonly<Record<string, unknown>>;
  /** Hash of the code and data definitions that it rests on; undefined of a run that is not finished. */
  code?: string;
  /** Whether cells were run that are not the notebook's. */
  edited: boolean;
  seconds?: number;
  /** None of a run that did not finish: what the folder holds could be of an earlier one. */
  metrics: readonly Metric[];
  /** The output of the cell tagged `key-figure`. */
  figure?: { png: string; alt: string };
  /** Whether some of the data was synthetic; undefined where the run has not said. */
  synthetic?: boolean;
  /** The failed cell's error, or what in the folder could not be read. */
  problems: readonly string[];
  /** Whether there is a rendered page. */
  page: boolean;
}

interface NotebookFile {
  cells: {
    cell_type: string;
    source: string | string[];
    metadata?: { tags?: string[] };
    outputs?: { output_type: string; data?: Record<string, string | string[]>; ename?: string; evalue?: string }[];
  }[];
  metadata?: {
    papermill?: { duration?: number | null; exception?: boolean | null; end_time?: string | null; start_time?: string };
    pathlab?: { status?: string };
  };
}

interface ProvenanceFile {
  data?: ({ synthetic?: boolean } | null)[];
  hashes?: Record<string, string>;
  edited?: readonly string[];
  ended?: string;
}

/** Reads a run folder; what cannot be read becomes a problem of the summary and does not hide the rest. */
export function summarizeRun(folder: string, root = projectRoot): RunSummary {
  const problems: string[] = [];
  const read = <T>(path: string, isWhole: (content: unknown) => boolean = isRecord): T | undefined => {
    if (!existsSync(path)) return undefined;
    try {
      const content = JSON.parse(readFileSync(path, 'utf8')) as T;
      if (!isWhole(content)) throw new TypeError('it does not hold what it should');
      return content;
    } catch (error) {
      problems.push(`${basename(path)} cannot be read: ${(error as Error).message}`);
      return undefined;
    }
  };
  const name = /^(?<notebook>.+)-(?<scale>[a-z]+)-[0-9a-f]{8}(?:-(?<attempt>\d+))?$/.exec(basename(folder))?.groups;
  const notebook = name?.notebook ?? basename(folder);
  const executed = read<NotebookFile>(join(folder, 'notebook.ipynb'), isNotebook);
  const source = executed ?? read<NotebookFile>(join(root, 'notebooks', `${notebook}.ipynb`));
  const metrics = metricsOf(read(join(folder, 'metrics.json')), problems);
  const provenance = read<ProvenanceFile>(join(folder, 'provenance.json'));
  const data = provenance?.data;
  const failure = failureOf(executed);
  if (failure) problems.push(failure);
  const papermill = executed?.metadata?.papermill;
  const failed = failure !== undefined || papermill?.exception === true;
  const status = statusOf(executed, failed, executed === undefined && provenance?.ended !== undefined);
  return {
    folder,
    notebook,
    scale: name?.scale ?? 'unknown scale',
    title: titleOf(source) ?? notebook,
    status,
    time: timeOf(folder, provenance, executed),
    attempt: Number(name?.attempt ?? 1),
    parameters: read(join(folder, 'parameters.json')) ?? {},
    ...(isRecord(provenance?.hashes) ? { code: canonicalJson(provenance!.hashes) } : {}),
    edited: (provenance?.edited?.length ?? 0) > 0,
    ...(typeof papermill?.duration === 'number' ? { seconds: papermill.duration } : {}),
    metrics: status === 'finished' ? metrics : [],
    ...figureOf(executed),
    ...(Array.isArray(data) ? { synthetic: data.some((entry) => entry?.synthetic === true) } : {}),
    problems,
    page: existsSync(join(folder, 'notebook.html')),
  };
}

function isRecord(content: unknown): boolean {
  return typeof content === 'object' && content !== null && !Array.isArray(content);
}

function isNotebook(content: unknown): boolean {
  const { cells } = (isRecord(content) ? content : {}) as { cells?: unknown };
  return Array.isArray(cells) && cells.every(isRecord);
}

/** The metrics that can be shown; one that is not what it should be is a problem and not shown. */
function metricsOf(file: { metrics?: unknown } | undefined, problems: string[]): Metric[] {
  const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value);
  const entries = file && Array.isArray(file.metrics) ? (file.metrics as Metric[]) : [];
  const shown = entries.filter(
    (entry) =>
      isRecord(entry) &&
      typeof entry.name === 'string' &&
      isNumber(entry.value) &&
      (entry.interval === undefined || (Array.isArray(entry.interval) && entry.interval.every(isNumber))),
  );
  if (shown.length < entries.length) problems.push('metrics.json holds entries that are not metrics');
  return shown;
}

/** @param isKept whether the run has a provenance, which it writes last; of one in JupyterLab there is no more */
function statusOf(executed: NotebookFile | undefined, failed: boolean, isKept: boolean): RunSummary['status'] {
  const marked = executed?.metadata?.pathlab?.status;
  if (marked === 'interrupted') return 'interrupted';
  if (failed || marked === 'failed') return errorOf(executed)?.ename === 'InterruptedError' ? 'interrupted' : 'failed';
  return isKept || executed?.metadata?.papermill?.end_time ? 'finished' : 'unfinished';
}

function titleOf(notebook: NotebookFile | undefined): string | undefined {
  for (const cell of notebook?.cells ?? []) {
    const heading = cell.cell_type === 'markdown' ? /^#\s+(.+)$/m.exec(joined(cell.source)) : null;
    if (heading) return heading[1];
  }
  return undefined;
}

function errorOf(notebook: NotebookFile | undefined) {
  return notebook?.cells.flatMap((cell) => cell.outputs ?? []).find((output) => output.output_type === 'error');
}

function failureOf(notebook: NotebookFile | undefined): string | undefined {
  const error = errorOf(notebook);
  return error && `${error.ename}: ${withoutTerminalColors(error.evalue ?? '')}`;
}

function figureOf(notebook: NotebookFile | undefined): Pick<RunSummary, 'figure'> {
  const cell = notebook?.cells.find(({ metadata }) => metadata?.tags?.includes('key-figure'));
  const data = cell?.outputs?.find((output) => output.data?.['image/png'])?.data;
  if (!data) return {};
  return { figure: { png: joined(data['image/png']).replaceAll('\n', ''), alt: joined(data['text/plain']) } };
}

function joined(text: string | string[] | undefined): string {
  return Array.isArray(text) ? text.join('') : (text ?? '');
}

function withoutTerminalColors(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colors begin with the escape character
  return text.replace(/\u001b\[[0-9;]*m/g, '');
}

/** Of files' times nothing is taken: copying and unpacking change them. */
function timeOf(folder: string, provenance: ProvenanceFile | undefined, notebook: NotebookFile | undefined): number {
  const papermill = notebook?.metadata?.papermill;
  const times = [provenance?.ended, papermill?.end_time, lastEventTime(folder), papermill?.start_time];
  return times.map((time) => Date.parse(time ?? '')).find((time) => Number.isFinite(time)) ?? 0;
}

/** The time of the last whole line of `events.jsonl`. */
function lastEventTime(folder: string): string | undefined {
  const path = join(folder, 'events.jsonl');
  if (!existsSync(path)) return undefined;
  return /"time":"([^"]*)"[^\n]*\n[^\n]*$/.exec(readFileSync(path, 'utf8').slice(-100_000))?.[1];
}

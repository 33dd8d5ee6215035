import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { canonicalJson, projectRoot } from '../base/index.js';
import type { Metric } from '../runs/index.js';

/** The gallery's summary of a run folder. */
export interface RunSummary {
  folder: string;
  notebook: string;
  scale: string;
  /** The notebook's first heading. */
  title: string;
  status: 'finished' | 'failed' | 'interrupted' | 'unfinished';
  /** When it ended or last wrote an event: milliseconds since 1970, from the run's own files. */
  time: number;
  /** Number of the attempt, from 1. */
  attempt: number;
  /** Its parameters, with the seed. */
  parameters: Readonly<Record<string, unknown>>;
  /** Hash of its code and data definitions; undefined for an unfinished run. */
  code?: string;
  /** Whether cells were run that are not in the notebook. */
  edited: boolean;
  seconds?: number;
  /** Empty for an unfinished run: files in the folder may be from an earlier one. */
  metrics: readonly Metric[];
  /** The output of the cell tagged `key-figure`. */
  figure?: { png: string; alt: string };
  /** Whether some of the data was synthetic; undefined if unknown. */
  synthetic?: boolean;
  /** The failed cell's error, and unreadable files. */
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

/** Reads a run folder; unreadable files become problems of the summary. */
export function summarizeRun(folder: string, root = projectRoot): RunSummary {
  const problems: string[] = [];
  const read = <T>(path: string, isWhole: (content: unknown) => boolean = isRecord): T | undefined => {
    if (!existsSync(path)) return undefined;
    try {
      const content = JSON.parse(readFileSync(path, 'utf8')) as T;
      if (!isWhole(content)) throw new TypeError('unexpected content');
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

/** The valid metrics; others become problems. */
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
  if (shown.length < entries.length) problems.push('metrics.json has invalid entries');
  return shown;
}

/**
 * @param isKept whether the run has a provenance, which it writes last; the only evidence for a run in JupyterLab. Of a
 *   run that was killed after it, the mark `finished` is the only one: papermill could not write its end
 */
function statusOf(executed: NotebookFile | undefined, failed: boolean, isKept: boolean): RunSummary['status'] {
  const marked = executed?.metadata?.pathlab?.status;
  if (marked === 'interrupted') return 'interrupted';
  if (failed || marked === 'failed') return errorOf(executed)?.ename === 'InterruptedError' ? 'interrupted' : 'failed';
  return isKept || marked === 'finished' || executed?.metadata?.papermill?.end_time ? 'finished' : 'unfinished';
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

/** File timestamps are not used, since copying changes them. */
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

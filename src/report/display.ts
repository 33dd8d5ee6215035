import { randomUUID } from 'node:crypto';
import { kernelServices } from '../base/index.js';

/**
 * One output in several forms; a notebook front end shows the richest that it knows. Every bundle has `text/plain`,
 * which says in words what the others show.
 */
export interface MimeBundle {
  'text/plain': string;
  'text/html'?: string;
  /** Base64. */
  'image/png'?: string;
  [mimeType: string]: unknown;
}

/** Per MIME type, as Jupyter defines it: `{'image/png': {width, height}}` in CSS px. */
export type DisplayMetadata = Record<string, unknown>;

/** What a value looks like: an output in several forms, and Jupyter's metadata to them. */
export type Output = [MimeBundle, DisplayMetadata];

/** Shows a bundle as output of the running cell; outside a notebook its `text/plain` goes to the terminal. */
export function showBundle(data: MimeBundle, metadata: DisplayMetadata = {}): void {
  const kernel = kernelServices();
  if (kernel) kernel.display({ data, metadata });
  else console.log(data['text/plain']);
}

/** Shows Markdown: the words of a page that depend on what was found. */
export function showText(markdown: string): void {
  showBundle({ 'text/plain': markdown, 'text/markdown': markdown });
}

/** One output that changes in place; the notebook file keeps its last state. */
export interface LiveDisplay {
  update(data: MimeBundle, metadata?: DisplayMetadata): void;
}

/** The output appears with the first update. Outside a notebook each update that reads differently is a line. */
export function newLiveDisplay(): LiveDisplay {
  const displayId = randomUUID();
  let shown = false;
  let lastText: string | undefined;
  return {
    update(data, metadata = {}) {
      const kernel = kernelServices();
      if (kernel) kernel.display({ data, metadata, displayId, update: shown });
      else if (data['text/plain'] !== lastText) console.log(data['text/plain']);
      shown = true;
      lastText = data['text/plain'];
    },
  };
}

/** Removes the running cell's output so far; with `wait` only when its next output comes. Outside a notebook, nothing. */
export function clearOutput(wait = false): void {
  kernelServices()?.clearOutput(wait);
}

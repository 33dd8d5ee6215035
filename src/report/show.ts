import type { VegaLiteSpec } from './chart.js';
import { type DisplayMetadata, type MimeBundle, type Output, showBundle } from './display.js';
import { isEncodedImage, isRawImage, isSharp } from './values/recognize-image.js';
import { isFrame, isTable } from './values/recognize-table.js';
import { isTensor } from './values/recognize-tensor.js';

/** A method of this name, which returns a MIME bundle, decides how a value is shown. */
const customDisplay = Symbol.for('pathlab.display');

/**
 * Shows a value as what it is: tables of arquero and danfojs, tensors, Vega-Lite specifications, images (of sharp,
 * encoded as PNG or JPEG, or as `{pixels, width, height}`), `html(...)`, MIME bundles; anything else in words.
 *
 * A bundle is shown at once; await the others, so that they come in order.
 */
export function display(bundle: MimeBundle, metadata?: DisplayMetadata): void;
export function display(value: unknown): Promise<void>;
export function display(value: unknown, metadata: DisplayMetadata = {}): void | Promise<void> {
  if (isBundle(value)) return showBundle(whole(value), metadata);
  return outputOf(value).then(async (output) => showBundle(...(output ?? (await inPlainWords(value)))));
}

/** HTML for `display`, or as a cell's last expression. It is not escaped: escape foreign text. */
export function html(markup: string): { [customDisplay](): MimeBundle } {
  return { [customDisplay]: () => whole({ 'text/html': markup }) };
}

/**
 * The rich output of a value, or undefined for none. The kernel uses it for the last expression of a cell. Drawing code
 * is loaded when needed.
 */
export async function outputOf(value: unknown): Promise<Output | undefined> {
  if (typeof value !== 'object' || value === null) return undefined;
  const own = (value as { [customDisplay]?: () => unknown })[customDisplay];
  if (typeof own === 'function') return [whole((await own.call(value)) as Record<string, unknown>), {}];
  if (isTensor(value)) return (await import('./values/tensor.js')).tensorOutput(value);
  if (isTable(value) || isFrame(value)) return (await import('./values/table.js')).tableOutput(value);
  if (isSharp(value) || isEncodedImage(value) || isRawImage(value)) {
    return (await import('./values/image.js')).imageOutput(value);
  }
  if (isVegaLite(value)) {
    return (await import('./chart.js')).chartOutput(value as unknown as VegaLiteSpec, { alt: wordsOfChart(value) });
  }
  return undefined;
}

async function inPlainWords(value: unknown): Promise<Output> {
  const { inspect } = await import('node:util');
  return [{ 'text/plain': typeof value === 'string' ? value : inspect(value) }, {}];
}

/** A plain object whose keys are all MIME types. */
function isBundle(value: unknown): value is Record<string, unknown> {
  if (!isPlain(value)) return false;
  const names = Object.keys(value);
  return names.length > 0 && names.every((name) => /^[a-z]+\/[\w.+-]+$/.test(name));
}

/** A bundle with `text/plain` added if missing. */
function whole(bundle: Record<string, unknown>): MimeBundle {
  if (typeof bundle['text/plain'] === 'string') return bundle as MimeBundle;
  const markup = bundle['text/html'];
  const words = typeof markup === 'string' ? withoutMarkup(markup) : `(${Object.keys(bundle).join(', ')})`;
  return { 'text/plain': words, ...bundle };
}

function withoutMarkup(markup: string): string {
  const text = markup.replace(/<(style|script)\b[\s\S]*?<\/\1>|<[^>]*>/g, ' ');
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", nbsp: ' ' };
  return text
    .replace(/&([\w#]+);/g, (whole, name) => entities[name] ?? whole)
    .replace(/\s+/g, ' ')
    .trim();
}

const lists = ['layer', 'hconcat', 'vconcat', 'concat'];
const dataNames = ['values', 'url', 'name', 'sequence', 'sphere', 'graticule'];

/**
 * Whether it is a specification, of plain objects only: modules may also have keys such as `data`, `layers` and
 * `concat`.
 */
function isVegaLite(value: object): value is Record<string, unknown> {
  if (!isPlain(value)) return false;
  const { $schema, data, mark, encoding, spec } = value;
  if (typeof $schema === 'string') return $schema.includes('/vega-lite/');
  if (!isPlain(data) || !dataNames.some((name) => Object.hasOwn(data, name))) return false;
  const isMark = typeof mark === 'string' || (isPlain(mark) && typeof mark.type === 'string');
  return (isMark && isPlain(encoding)) || lists.some((name) => Array.isArray(value[name])) || isPlain(spec);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** A chart's description from its specification. */
function wordsOfChart(spec: Record<string, unknown>): string {
  const text = (part: unknown) => (typeof part === 'string' ? part : (part as { text?: unknown } | undefined)?.text);
  const said = text(spec.description) ?? text(spec.title);
  if (said) return String(said);
  const mark = typeof spec.mark === 'string' ? spec.mark : (spec.mark as { type?: string } | undefined)?.type;
  const channels = Object.entries((spec.encoding ?? {}) as Record<string, { field?: string }>)
    .filter(([, channel]) => channel?.field)
    .map(([name, channel]) => `${name} ${channel.field}`);
  return [mark ? `Chart (${mark})` : 'Chart', channels.join(', ')].filter(Boolean).join(': ');
}

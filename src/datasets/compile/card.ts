import { type CompileReport, countsByName, disagreements, knownNames, unknownName } from './report.js';

/** Maximum number of reasons for exclusion on the page. */
const maxReasons = 50;

/** Contents of a dataset card: `CARD.json`, shown by `CARD.md`. */
export interface CardContent {
  title: string;
  /** What was compiled: slides, or precut patches. */
  unit: 'slides' | 'patches';
  /** Warnings shown first: synthetic tissue, an unchecked list. */
  notices: readonly { about: string; text: string }[];
  /** In display order. */
  facts: Readonly<Record<string, string>>;
  patchesByClass: Readonly<Record<string, number>>;
  patchesBySite: Readonly<Record<string, number>>;
  knownFaults: readonly string[];
  doubtfulPixelSizes: readonly { slide: string; words: string }[];
  failures: CompileReport['failures'];
  excluded: CompileReport['excluded'];
}

/** The card of a compiled dataset. */
export function cardContent(report: CompileReport): CardContent {
  const { counts, failures } = report;
  return {
    title: report.title,
    unit: report.precut ? 'patches' : 'slides',
    notices: noticesOf(report),
    facts: {
      dataset: report.dataset,
      source: report.origin,
      licence: report.licence,
      citation: report.citation,
      ...patchFacts(report),
      ...(counts.bySplit && { 'given split': formatCounts(counts.bySplit) }),
      ...(report.ignoredMaskValues && { 'ignored pixels': `of the mask value ${report.ignoredMaskValues.join(', ')}` }),
      images: `${describeFormat(report)}; ${(counts.bytes / 2 ** 20).toFixed(1)} MiB`,
      split: report.splitRule,
      settings: report.settingsHash,
    },
    patchesByClass: Object.fromEntries(countsByName(counts.byClass)),
    patchesBySite: Object.fromEntries(countsByName(counts.bySite)),
    knownFaults: report.knownFaults,
    doubtfulPixelSizes: disagreements(report),
    failures,
    excluded: report.excluded,
  };
}

/** The dataset card in Markdown. */
export function cardMarkdown(card: CardContent): string {
  const lines = [`# ${plain(card.title)}`, ''];
  for (const { about, text } of card.notices) lines.push(`**${plain(about)}:** ${plain(text)}.`, '');
  lines.push('| | |', '| --- | --- |', ...Object.entries(card.facts).map(([name, text]) => row(name, text)), '');
  lines.push(...countTable('class', card.patchesByClass), ...countTable('site', card.patchesBySite));
  if (card.knownFaults.length > 0) {
    lines.push('## Notes on the source', '', ...card.knownFaults.map((fault) => `- ${plain(fault)}`), '');
  }
  if (card.doubtfulPixelSizes.length > 0) {
    lines.push('## Slides with an uncertain pixel size', '', '| slide | what it says |', '| --- | --- |');
    lines.push(...card.doubtfulPixelSizes.map(({ slide, words }) => row(slide, words)), '');
  }
  if (card.failures.length > 0) {
    const [what, one] = card.unit === 'patches' ? ['Patches', 'patch'] : ['Slides', 'slide'];
    lines.push(`## ${what} that failed`, '', `| ${one} | reason |`, '| --- | --- |');
    lines.push(...card.failures.map(({ slide, reason }) => row(slide, reason)), '');
  }
  if (card.excluded.length > 0) {
    lines.push('## Excluded from the list', '', '| reason | how many | such as |', '| --- | ---: | --- |');
    const rows = card.excluded.map(({ reason, slides, examples }) => row(reason, String(slides), examples.join(', ')));
    lines.push(...rows.slice(0, maxReasons));
    if (rows.length > maxReasons) lines.push(row(`and ${rows.length - maxReasons} more reasons, in CARD.json`, '', ''));
    lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function describeFormat({ settings, precut, jpegQuality }: CompileReport): string {
  if ('lossless' in settings) return 'PNG, lossless';
  return `JPEG, ${precut ? 'if re-encoded ' : ''}quality ${jpegQuality}, 4:4:4`;
}

function patchFacts(report: CompileReport): Record<string, string> {
  const { counts, settings, slides, failures, precut } = report;
  const patients = `${knownNames(counts.byPatient).length}${unknownName in counts.byPatient ? ' known' : ''}`;
  if (!('limits' in settings)) {
    return {
      patches: `${counts.patches}, ${settings.geometry.pixels} px, precut`,
      'patches that failed': String(failures.length),
      patients,
      shards: String(precut?.shards),
      'taken as they are': String(precut?.copied),
      'encoded anew': `${precut?.encoded}: of another size, or not ${'lossless' in settings ? 'PNG' : 'JPEG'} in 8-bit RGB`,
    };
  }
  const { micrometers, pixels } = settings.geometry;
  const blurred = slides.filter(({ isSharpnessJudged }) => !isSharpnessJudged).length;
  const withoutArea = slides.reduce((sum, slide) => sum + slide.withoutArea, 0);
  return {
    patches: `${counts.patches}, ${micrometers} um wide, ${pixels} px (${(micrometers / pixels).toFixed(3)} um/px)`,
    slides: `${slides.length}${failures.length > 0 ? `, and ${failures.length} that failed` : ''}`,
    patients,
    'patches a slide': settings.maxPatchesPerSlide === null ? 'all' : `at most ${settings.maxPatchesPerSlide}, drawn`,
    tissue: `at least ${100 * settings.limits.minimumTissue} % of a patch`,
    enlarged: enlarged(report),
    ...(blurred > 0 && { sharpness: `not checked for ${blurred} slides: their pixels are larger than 2 um` }),
    ...(withoutArea > 0 && { 'annotations without area': `${withoutArea}, ignored` }),
  };
}

function formatCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name}: ${count}`)
    .join(', ');
}

function noticesOf({ counts, resolved }: CompileReport): CardContent['notices'] {
  const share = counts.synthetic === counts.patches ? '' : ` (${counts.synthetic} of ${counts.patches} patches)`;
  const synthetic = {
    about: share === '' ? 'Synthetic' : `Partly synthetic${share}`,
    text: 'drawn by a program, not from patients',
  };
  const unchecked = {
    about: 'Not yet resolved',
    text: 'the list of slides has not been checked against the source',
  };
  return [...(counts.synthetic > 0 ? [synthetic] : []), ...(resolved ? [] : [unchecked])];
}

/** Enlarged patches hold less detail than their pixels suggest: the card always says so. */
function enlarged({ slides }: CompileReport): string {
  const upsampled = slides.filter(({ resampling }) => resampling.direction === 'upsampled');
  if (upsampled.length === 0) return 'none';
  const most = Math.max(...upsampled.map(({ resampling }) => resampling.factor));
  return `patches of ${upsampled.length} slides, by up to ${most.toFixed(2)} times`;
}

function countTable(name: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = countsByName(counts).map(([key, patches]) => row(key, String(patches)));
  return [`| ${name} | patches |`, '| --- | ---: |', ...rows, ''];
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map(plain).join(' | ')} |`;
}

/** Text of a source or a file, escaped for Markdown. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\|<>`*_[\]]/g, (sign) => `\\${sign}`);
}

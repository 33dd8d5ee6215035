import { type CompileReport, countsByName, disagreements, knownNames, unknownName } from './report.js';

/** The page shows so many reasons why something is left out. */
const maxReasons = 50;

/** What a dataset card says; `CARD.json` holds this, and `CARD.md` shows it. */
export interface CardContent {
  title: string;
  /** What was compiled: patches of slides, or ready ones. */
  unit: 'slides' | 'patches';
  /** What a reader must know first: that tissue is synthetic, that the list was never checked. */
  notices: readonly { about: string; text: string }[];
  /** In the order in which they are shown. */
  facts: Readonly<Record<string, string>>;
  patchesByClass: Readonly<Record<string, number>>;
  patchesBySite: Readonly<Record<string, number>>;
  knownFaults: readonly string[];
  doubtfulPixelSizes: readonly { slide: string; words: string }[];
  failures: CompileReport['failures'];
  excluded: CompileReport['excluded'];
}

/** What is to be said of a compiled dataset. */
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
      ...(counts.bySide && { 'sides as given': formatCounts(counts.bySide) }),
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
    lines.push('## Slides whose size of a pixel is in doubt', '', '| slide | what it says |', '| --- | --- |');
    lines.push(...card.doubtfulPixelSizes.map(({ slide, words }) => row(slide, words)), '');
  }
  if (card.failures.length > 0) {
    const [what, one] = card.unit === 'patches' ? ['Patches', 'patch'] : ['Slides', 'slide'];
    lines.push(`## ${what} that failed`, '', `| ${one} | reason |`, '| --- | --- |');
    lines.push(...card.failures.map(({ slide, reason }) => row(slide, reason)), '');
  }
  if (card.excluded.length > 0) {
    lines.push('## Left out of the list', '', '| reason | how many | such as |', '| --- | ---: | --- |');
    const rows = card.excluded.map(({ reason, slides, examples }) => row(reason, String(slides), examples.join(', ')));
    lines.push(...rows.slice(0, maxReasons));
    if (rows.length > maxReasons) lines.push(row(`and ${rows.length - maxReasons} more reasons, in CARD.json`, '', ''));
    lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function describeFormat({ settings, precut, jpegQuality }: CompileReport): string {
  if ('lossless' in settings) return 'PNG, lossless';
  return `JPEG, ${precut ? 'where encoded anew ' : ''}quality ${jpegQuality}, 4:4:4`;
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
      'encoded anew': `${precut?.encoded}: of another size, or no ${'lossless' in settings ? 'PNG' : 'JPEG'} of 8-bit RGB`,
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
    ...(blurred > 0 && { sharpness: `of ${blurred} slides not judged: their pixels are larger than 2 um` }),
    ...(withoutArea > 0 && { 'annotations without area': `${withoutArea}, passed over` }),
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

/** Enlarged patches hold less detail than their pixels suggest: that is never silent. */
function enlarged({ slides }: CompileReport): string {
  const upsampled = slides.filter(({ resampling }) => resampling.direction === 'upsampled');
  if (upsampled.length === 0) return 'none';
  const most = Math.max(...upsampled.map(({ resampling }) => resampling.factor));
  return `patches of ${upsampled.length} slides, up to ${most.toFixed(2)} times`;
}

function countTable(name: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = countsByName(counts).map(([key, patches]) => row(key, String(patches)));
  return [`| ${name} | patches |`, '| --- | ---: |', ...rows, ''];
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map(plain).join(' | ')} |`;
}

/** Text of a source or a file, so that it cannot break the page. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\|<>`*_[\]]/g, (sign) => `\\${sign}`);
}

import { type CompileReport, disagreements, unknownName } from './report.js';

/** The dataset card that lies beside the shards, in Markdown. */
export function datasetCard(report: CompileReport): string {
  const { counts, settings, slides, failures } = report;
  const { micrometers, pixels } = settings.geometry;
  const patients = Object.keys(counts.byPatient).length;
  const lines = [`# ${plain(report.title)}`, ''];
  if (counts.synthetic > 0) {
    const all = counts.synthetic === counts.patches;
    lines.push(
      `**${all ? 'Synthetic' : `Partly synthetic (${counts.synthetic} of ${counts.patches} patches)`}:** drawn by a ` +
        'program, not from patients.',
      '',
    );
  }
  if (!report.resolved) {
    lines.push('**Not yet resolved:** the list of slides has not been checked against the source.', '');
  }
  lines.push(
    '| | |',
    '| --- | --- |',
    row('dataset', report.dataset),
    row('source', report.origin),
    row('licence', report.licence),
    row('citation', report.citation),
    row(
      'patches',
      `${counts.patches}, ${micrometers} um wide, ${pixels} px (${(micrometers / pixels).toFixed(3)} um/px)`,
    ),
    row('slides', `${slides.length}${failures.length > 0 ? `, and ${failures.length} that failed` : ''}`),
    row('patients', unknownName in counts.byPatient ? `${patients - 1} known` : String(patients)),
    row(
      'patches a slide',
      settings.mostPatchesPerSlide === null ? 'all' : `at most ${settings.mostPatchesPerSlide}, drawn`,
    ),
    row('tissue', `at least ${100 * settings.limits.minimumTissue} % of a patch`),
    row('enlarged', enlarged(report)),
    row('images', `JPEG, quality ${report.jpegQuality}, 4:4:4; ${(counts.bytes / 2 ** 20).toFixed(1)} MiB`),
    row('split', report.splitRule),
    row('settings', report.settingsHash),
    '',
    ...countTable('class', counts.byClass),
    ...countTable('site', counts.bySite),
  );
  if (report.knownFaults.length > 0) {
    lines.push('## Known faults of the source', '', ...report.knownFaults.map((fault) => `- ${plain(fault)}`), '');
  }
  const doubtful = disagreements(report);
  if (doubtful.length > 0) {
    lines.push('## Slides whose size of a pixel is in doubt', '', '| slide | what it says |', '| --- | --- |');
    lines.push(...doubtful.map(({ slide, words }) => row(slide, words)), '');
  }
  if (failures.length > 0) {
    lines.push('## Slides that failed', '', '| slide | reason |', '| --- | --- |');
    lines.push(...failures.map(({ slide, reason }) => row(slide, reason)), '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

/** Enlarged patches hold less detail than their pixels suggest: that is never silent. */
function enlarged({ slides }: CompileReport): string {
  const upsampled = slides.filter(({ resampling }) => resampling.direction === 'upsampled');
  if (upsampled.length === 0) return 'none';
  const most = Math.max(...upsampled.map(({ resampling }) => resampling.factor));
  return `patches of ${upsampled.length} slides, up to ${most.toFixed(2)} times`;
}

function countTable(name: string, counts: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1));
  return [`| ${name} | patches |`, '| --- | ---: |', ...entries.map(([key, patches]) => row(key, String(patches))), ''];
}

function row(name: string, text: string): string {
  return `| ${plain(name)} | ${plain(text)} |`;
}

/** Text of a source or a file, so that it cannot break the page. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\|<>`*_[\]]/g, (sign) => `\\${sign}`);
}

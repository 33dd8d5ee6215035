import { interruptSignal, key } from '../base/index.js';
import { subjectOf } from '../datasets/index.js';
import { type SiteLeakage, siteLeakage } from '../evaluate/index.js';
import type { Run } from '../runs/index.js';
import { showChart } from './chart.js';
import { showText } from './display.js';
import { describeGap, siteLeakageChart } from './site-leakage-chart.js';
import type { SplitAuditResult } from './split-audit.js';

/**
 * Measures and shows how well colors alone tell the site and the class, beside guessing the commonest; and what the site
 * adds for the class. Writes `figures/site-leakage.png` to the run's folder.
 *
 * @param options.seed of the draws
 * @returns what was measured; null where it cannot be, which the page then says
 */
export async function showSiteLeakage(
  run: Run,
  { report, patches }: SplitAuditResult,
  options: { seed: number },
): Promise<SiteLeakage | null> {
  const leakage = await siteLeakage(patches, {
    key: key(options.seed).fold('colors'),
    signal: interruptSignal(),
  });
  if (leakage === null) {
    showText(
      'What colors tell was not measured: there is one site or class only, or too few patients, or patches do not say theirs.',
    );
    return null;
  }
  const { spec, alt } = siteLeakageChart(leakage, { subtitle: `${subjectOf(report)}; 95 % intervals over patients` });
  await showChart(spec, { alt, save: run.figure('site-leakage.png') });
  showText(describeGap(leakage.gap));
  return leakage;
}

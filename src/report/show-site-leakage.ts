import { interruptSignal, key } from '../base/index.js';
import { subjectOf } from '../datasets/index.js';
import { type SiteLeakage, siteLeakage } from '../evaluate/index.js';
import type { Run } from '../runs/index.js';
import { showChart } from './chart.js';
import { showText } from './display.js';
import { describeGap, siteLeakageChart } from './site-leakage-chart.js';
import type { SplitAuditResult } from './split-audit.js';

/**
 * Measures and shows how well color predicts the site and the class, beside the chance level, and what the site adds
 * for the class. Writes `figures/site-leakage.png` to the run's folder.
 *
 * @param options.seed of the draws
 * @returns the result; null if it cannot be measured, which the page then states
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
    showText('Site leakage was not measured: it needs several known sites and classes, and enough known patients.');
    return null;
  }
  const { spec, alt } = siteLeakageChart(leakage, { subtitle: `${subjectOf(report)}; 95 % intervals over patients` });
  await showChart(spec, { alt, save: run.figure('site-leakage.png') });
  showText(describeGap(leakage.gap));
  return leakage;
}

import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import type { AuditedImage, AuditedImages } from '../../src/datasets/index.js';
import { type SiteLeakage, siteLeakage } from '../../src/evaluate/index.js';
import { describeGap } from '../../src/report/site-leakage-chart.js';

const sites = ['A', 'B', 'C', 'D'];

/** Images of one color each, their site's, with noise; `mostly` of a class's patients are from one site. */
async function colored(mostly: number): Promise<AuditedImages> {
  const generator = key('colors').generator();
  const rows: { image: AuditedImage; bytes: Uint8Array }[] = [];
  for (let patient = 0; patient < 48; patient++) {
    const itsClass = patient % 4;
    const site = generator.integer(100) < 100 * mostly ? itsClass : generator.integer(4);
    for (let place = 0; place < 3; place++) {
      const [red, green, blue] = [40 + 60 * site, 220 - 50 * site, 128].map((value) => value + generator.integer(12));
      const background = { r: red!, g: green!, b: blue! };
      const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background } })
        .png()
        .toBuffer();
      const id = `p${patient}/${place}`;
      const hash = Uint32Array.from({ length: 8 }, () => generator.integer(2 ** 32));
      const known = { id, split: null, slide: id, patient: `p${patient}`, site: sites[site]!, class: `c${itsClass}` };
      rows.push({ image: { ...known, synthetic: true, sha256: id, hash }, bytes });
    }
  }
  const images = rows.map(({ image }) => image);
  return {
    ...{ name: 'colors', images, unread: [], total: images.length, otherFiles: 0 },
    read: async (place) => rows[place]!.bytes,
  };
}

const byName = ({ questions }: SiteLeakage) => Object.fromEntries(questions.map((each) => [each.name, each]));

describe('siteLeakage', () => {
  it('tells the site from its colors, and the class only where patients of the same site answer', async () => {
    const leakage = (await siteLeakage(await colored(0.8), { key: key(1), side: 8 }))!;
    const found = byName(leakage);
    expect(Object.keys(found)).toEqual([
      'site, from other patients',
      'class, from other patients',
      'class, from other sites',
    ]);
    expect(found['site, from other patients']!.value).toBeGreaterThan(0.95);
    const [same, other] = [found['class, from other patients']!, found['class, from other sites']!];
    expect(same.low).toBeGreaterThan(same.chance);
    // No patient of a class's own site may answer, so that colors mislead.
    expect(other.high).toBeLessThan(same.low);
    expect(other.value).toBeLessThan(other.chance);
    expect(same.method).toMatch(/over 48 patients/);
    const { gap } = leakage;
    expect(gap.value).toBeCloseTo(same.value - other.value, 12);
    expect([gap.fromOtherPatients, gap.fromOtherSites, gap.images]).toEqual([same.value, other.value, 144]);
    expect(gap.low).toBeGreaterThan(0.3);
    expect(gap.high).toBeGreaterThan(gap.value);
    expect(gap.method).toMatch(/over 48 patients \(144 patches\)/);
    expect(describeGap(gap)).toMatch(
      /^The class of the same 144 patches .*\(95 % interval \+\d.*The interval lies above 0:/,
    );
  });

  it('finds nothing in the class where classes come from all sites alike', async () => {
    const leakage = (await siteLeakage(await colored(0), { key: key(1), side: 8 }))!;
    const { low, high, chance } = byName(leakage)['class, from other patients']!;
    expect(low).toBeLessThan(chance);
    expect(high).toBeLessThan(0.5);
    expect([leakage.gap.low < 0, leakage.gap.high > 0]).toEqual([true, true]);
    expect(describeGap(leakage.gap)).toMatch(/The interval includes 0: these patches do not show/);
    expect(describeGap({ ...leakage.gap, low: -0.2, high: -0.1 })).toMatch(
      /lies below 0: patches of the same site mislead/,
    );
  });

  it('does not ask of one site, of few patients, or of images that do not say', async () => {
    const audited = await colored(0.8);
    const changed = (of: (image: AuditedImage) => Partial<AuditedImage>) =>
      siteLeakage({ ...audited, images: audited.images.map((each) => ({ ...each, ...of(each) })) }, { key: key(1) });
    expect(await changed(() => ({ site: 'A' }))).toBeNull();
    expect(await changed(() => ({ patient: null }))).toBeNull();
    expect(await changed(({ id }) => ({ patient: id < 'p2' ? 'p1' : 'p2' }))).toBeNull();
  });
});

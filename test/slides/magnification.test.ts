import { describe, expect, it } from 'vitest';
import { magnificationOf, resampling } from '../../src/slides/magnification.js';

describe('magnificationOf', () => {
  it('trusts mpp first, then the objective, then the caller', () => {
    const all = { 'openslide.mpp-x': '0.252', 'openslide.mpp-y': '0.253', 'openslide.objective-power': '20' };
    expect(magnificationOf(all, 1, 'a.svs')).toEqual({ mpp: 0.2525, source: 'mpp' });
    expect(magnificationOf({ 'openslide.objective-power': '20' }, 1, 'a.svs')).toEqual({
      mpp: 0.5,
      source: 'objective-power',
    });
    expect(magnificationOf({ 'openslide.objective-power': '33' }, 1, 'a.svs')).toEqual({ mpp: 1, source: 'caller' });
    expect(magnificationOf({ 'openslide.mpp-x': '0', 'openslide.mpp-y': '0' }, 0.3, 'a.svs').source).toBe('caller');
  });

  it('lists what the file says when nothing will do', () => {
    const properties = { 'aperio.AppMag': '63', 'openslide.objective-power': '63', 'aperio.MPP': 'none' };
    expect(() => magnificationOf(properties, undefined, 'a.svs')).toThrow(
      /a\.svs: .*openslide\.objective-power = 63, aperio\.MPP = none.*openSlide\(path, \{ mpp/,
    );
    expect(() => magnificationOf({}, undefined, 'a.svs')).toThrow(/nothing about it/);
  });

  it('refuses pixels that are not square or not those of a microscope', () => {
    const oblong = { 'openslide.mpp-x': '0.25', 'openslide.mpp-y': '0.5' };
    expect(() => magnificationOf(oblong, undefined, 'a.svs')).toThrow(/not square \(0\.25 x 0\.5 um\)/);
    expect(() => magnificationOf({}, -1, 'a.svs')).toThrow(/mpp must be between/);
  });
});

describe('resampling', () => {
  it('tells enlarging from shrinking', () => {
    expect(resampling(0.499, 0.39)).toMatchObject({ direction: 'upsampled', factor: 0.499 / 0.39 });
    expect(resampling(0.25, 0.39).direction).toBe('downsampled');
    expect(resampling(0.39, 0.3906).direction).toBe('none');
  });
});

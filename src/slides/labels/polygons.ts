import { open } from 'node:fs/promises';
import { parseXml, type XmlElement } from './xml.js';

/** An annotated area of a slide. */
export interface Polygon {
  /**
   * Its class: the group in ASAP's files, the classification in GeoJSON, of which QuPath joins the names of a derived class
   * as "Tumor: Positive". Empty where it has none.
   */
  name: string;
  /** The file and the annotation in it, for messages. */
  place?: string;
  /** Rings, each x, y, x, y ... in level-0 px: the outline and its holes in any order (even-odd rule). */
  rings: Float64Array[];
}

export interface PolygonFile {
  polygons: Polygon[];
  /** Annotations that have no area: points, lines, measurements, fewer than three corners, no geometry at all. */
  withoutArea: number;
}

/** Edges of the rectangle around a polygon's rings. */
export function boundsOf(rings: Polygon['rings']): { left: number; top: number; right: number; bottom: number } {
  const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const ring of rings) {
    for (let at = 0; at < ring.length; at += 2) {
      bounds.left = Math.min(bounds.left, ring[at]!);
      bounds.right = Math.max(bounds.right, ring[at]!);
      bounds.top = Math.min(bounds.top, ring[at + 1]!);
      bounds.bottom = Math.max(bounds.bottom, ring[at + 1]!);
    }
  }
  return bounds;
}

const maxBytes = 2 ** 28;

/**
 * Reads annotations from ASAP's XML or from GeoJSON (QuPath's export too).
 *
 * @throws Error that names the file and the annotation that is wrong
 */
export async function readPolygons(path: string): Promise<PolygonFile> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`the annotations ${path} cannot be read: ${error.message}`);
  });
  try {
    const { size } = await file.stat();
    if (size > maxBytes) throw new Error(`${path} has ${size} bytes; annotations have at most ${maxBytes}`);
    // Some programs begin a file with a byte order mark.
    const text = (await file.readFile('utf8')).replace(/^\uFEFF/, '');
    return /^\s*</.test(text) ? fromAsap(parseXml(text, path), path) : fromGeoJson(text, path);
  } finally {
    await file.close();
  }
}

/** What ASAP draws that has an area; a spline's points are taken as its corners. */
const asapAreas = ['Polygon', 'Rectangle', 'Spline'];
const asapWithoutArea = ['Dot', 'PointSet', 'Measurement'];

function fromAsap(document: XmlElement, path: string): PolygonFile {
  if (document.name !== 'ASAP_Annotations') {
    throw new Error(`${path} is XML, but not from ASAP: its root is <${document.name}>, not <ASAP_Annotations>`);
  }
  const annotations = document.children
    .filter((element) => element.name === 'Annotations')
    .flatMap((element) => element.children.filter((child) => child.name === 'Annotation'));
  const polygons: Polygon[] = [];
  let withoutArea = 0;
  for (const [index, { attributes, children }] of annotations.entries()) {
    const what = `${path}: annotation ${index + 1} (${attributes.Name ?? 'no name'})`;
    if (asapWithoutArea.includes(attributes.Type ?? '')) {
      withoutArea++;
      continue;
    }
    if (!asapAreas.includes(attributes.Type ?? ''))
      throw new Error(`${what} is of the unknown type ${attributes.Type}`);
    const corners = children
      .filter((element) => element.name === 'Coordinates')
      .flatMap((element) => element.children.filter((child) => child.name === 'Coordinate'))
      .map((corner) => ['Order', 'X', 'Y'].map((name) => decimal(corner.attributes[name])));
    corners.sort((one, other) => one[0]! - other[0]!);
    const group = attributes.PartOfGroup;
    const name = group === undefined || group === 'None' ? (attributes.Name ?? '') : group;
    const area = ring(
      corners.map(([, x, y]) => [x!, y!]),
      what,
    );
    if (area) polygons.push({ name, place: what, rings: [area] });
    else withoutArea++;
  }
  return { polygons, withoutArea };
}

/** ASAP writes a decimal comma where the computer's language has one. */
function decimal(text: string | undefined): number {
  return text === undefined || text.trim() === '' ? Number.NaN : Number(text.replace(',', '.'));
}

// biome-ignore lint/suspicious/noExplicitAny: what a file holds is looked at below.
type Json = any;

function fromGeoJson(text: string, path: string): PolygonFile {
  let content: Json;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is neither XML nor JSON: ${(error as Error).message}`);
  }
  const features: Json[] = Array.isArray(content) ? content : (content?.features ?? [content]);
  if (!Array.isArray(features)) throw new Error(`${path} is not GeoJSON: its "features" are not a list`);
  const polygons: Polygon[] = [];
  let withoutArea = 0;
  for (const [index, feature] of features.entries()) {
    const what = `${path}: feature ${index + 1}`;
    const geometry = feature?.type === 'Feature' ? feature.geometry : feature;
    const name = className(feature?.properties ?? {});
    const add = (coordinates: Json) => {
      const areas = rings(coordinates, what);
      if (areas.length > 0) polygons.push({ name, place: what, rings: areas });
      else withoutArea++;
    };
    // RFC 7946, 3.2: a feature without a place has the geometry null, as QuPath's root object.
    if (feature?.type === 'Feature' && geometry === null) {
      withoutArea++;
      continue;
    }
    const addGeometry = (part: Json) => {
      switch (part?.type) {
        case 'Polygon':
          add(part.coordinates);
          break;
        case 'MultiPolygon':
          if (!Array.isArray(part.coordinates)) throw new Error(`${what} has no coordinates`);
          if (part.coordinates.length === 0) withoutArea++;
          for (const polygon of part.coordinates) add(polygon);
          break;
        case 'Point':
        case 'MultiPoint':
        case 'LineString':
        case 'MultiLineString':
          withoutArea++;
          break;
        default:
          throw new Error(
            `${what} has the geometry ${JSON.stringify(part?.type)}, which is not supported; draw it as a polygon, or remove it ` +
              'from the file',
          );
      }
    };
    if (geometry?.type === 'GeometryCollection' && Array.isArray(geometry.geometries)) {
      if (geometry.geometries.length === 0) withoutArea++;
      for (const part of geometry.geometries) addGeometry(part);
    } else addGeometry(geometry);
  }
  return { polygons, withoutArea };
}

/** A feature's class: an object, as QuPath writes it, that object as text, as GeoPandas does, or plain text. */
function className({ classification, objectType, label, name }: Record<string, Json>): string {
  const found = typeof classification === 'string' ? fromText(classification) : classification;
  if (typeof found === 'string') return found;
  const names = Array.isArray(found?.names) ? found.names.join(': ') : undefined;
  // QuPath's objects, which have a type, have names of their own beside their class.
  return String(found?.name ?? names ?? (objectType === undefined ? (label ?? name) : undefined) ?? '');
}

function fromText(text: string): Json {
  if (!/^\s*(\{|null\s*$)/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A polygon's outline and holes that have an area; none where its outline has none. */
function rings(coordinates: Json, what: string): Float64Array[] {
  if (!Array.isArray(coordinates)) throw new Error(`${what} has no coordinates`);
  const [outline, ...holes] = coordinates.map((corners) => {
    if (!Array.isArray(corners)) throw new Error(`${what} has a ring that is not a list`);
    return ring(corners, what);
  });
  return outline ? [outline, ...holes.filter((hole): hole is Float64Array => hole !== undefined)] : [];
}

/** Undefined where fewer than three corners differ, as those of a stray click: they have no area. */
function ring(corners: Json[], what: string): Float64Array | undefined {
  const result = new Float64Array(2 * corners.length);
  for (const [index, corner] of corners.entries()) {
    const [x, y] = Array.isArray(corner) ? corner : [];
    if (typeof x !== 'number' || typeof y !== 'number' || !Number.isFinite(x) || !Number.isFinite(y)) {
      throw new Error(`${what}: corner ${index + 1} is not a pair of coordinates`);
    }
    result[2 * index] = x;
    result[2 * index + 1] = y;
  }
  const different = new Set(corners.map(([x, y]) => `${x} ${y}`)).size;
  return different < 3 ? undefined : result;
}

import { annotationFeature } from '../labels/geojson.js';
import type { Polygon } from './polygon.js';

/** A group's polygon, level-0 px. */
export interface SlideAnnotation {
  group: string;
  points: Polygon;
}

/** Polygons as ASAP writes them, and as Camelyon has them: each names its group. */
export function asapXml(annotations: readonly SlideAnnotation[]): string {
  const groups = [...new Set(annotations.map(({ group }) => group))];
  const polygons = annotations.map(({ group, points }, index) => {
    const corners = points.map(([x, y], order) => `\t\t\t\t<Coordinate Order="${order}" X="${x}" Y="${y}" />\n`);
    return (
      `\t\t<Annotation Name="Annotation ${index}" Type="Polygon" PartOfGroup="${group}" Color="#F4FA58">\n` +
      `\t\t\t<Coordinates>\n${corners.join('')}\t\t\t</Coordinates>\n\t\t</Annotation>\n`
    );
  });
  const named = groups.map(
    (group) => `\t\t<Group Name="${group}" PartOfGroup="None" Color="#00ff00">\n\t\t\t<Attributes />\n\t\t</Group>\n`,
  );
  return (
    '<?xml version="1.0"?>\n<ASAP_Annotations>\n' +
    `\t<Annotations>\n${polygons.join('')}\t</Annotations>\n` +
    `\t<AnnotationGroups>\n${named.join('')}\t</AnnotationGroups>\n</ASAP_Annotations>\n`
  );
}

/** The same as GeoJSON, with the group where QuPath keeps a class. */
export function geoJson(annotations: readonly SlideAnnotation[]): string {
  const features = annotations.map(({ group, points }) => annotationFeature([points], { name: group }));
  return `${JSON.stringify({ type: 'FeatureCollection', features })}\n`;
}

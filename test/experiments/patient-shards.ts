import { compileDataset } from '../../src/datasets/index.js';
import { smallDataset } from '../datasets/small-dataset.js';

/** Shards of so many synthetic patients of one slide and one class each, in turn of four classes. */
export async function patientShards(
  data: string,
  patients: number,
  change: { classOf?: (place: number, kind: string) => string | null; name?: string } = {},
): Promise<string> {
  const { definition, slides } = await smallDataset(patients);
  const kinds = slides.map((slide, place) => slide.class ?? slides[place % 4]!.class!);
  const { classOf = (_, kind) => kind, name = 'small' } = change;
  const ofPatients = slides.map((slide, place) => ({
    ...slide,
    patient: `patient-${place}`,
    class: classOf(place, kinds[place]!),
  }));
  return (await compileDataset({ definition: { ...definition, name }, slides: ofPatients }, { data })).folder;
}

/**
 * Refuses cases of which a patient has several.
 *
 * @throws RangeError that names the patient
 */
export function checkIndependent(patients: readonly string[], test: string): void {
  const seen = new Map<string, number>();
  for (const patient of patients) seen.set(patient, (seen.get(patient) ?? 0) + 1);
  const repeated = [...seen].find(([, count]) => count > 1);
  if (repeated) {
    throw new RangeError(
      `${test} assumes independent cases, but patient "${repeated[0]}" has ${repeated[1]} of ${patients.length}:` +
        ' its p-value would be too small (compare arms by bootstrap over patients, with compareArms)',
    );
  }
}

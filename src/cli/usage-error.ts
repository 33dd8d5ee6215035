/** Something wrong with what was asked for: its message is all that the user needs. */
export class UsageError extends Error {
  override name = 'UsageError';
}

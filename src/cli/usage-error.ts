/** An error in the user's input: its message is printed without a stack trace. */
export class UsageError extends Error {
  override name = 'UsageError';
}

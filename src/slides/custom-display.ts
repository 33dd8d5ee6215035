/** By a method of this name a value says how a notebook shows it. */
export const customDisplay = Symbol.for('pathlab.display');

/**
 * Has a notebook show a value as an image (PNG), or in words alone where it cannot be drawn: its slide may be closed.
 *
 * @returns the value; its own fields stay as they are
 */
export function withDisplay<Value extends object>(value: Value, words: string, draw: () => Promise<Uint8Array>): Value {
  const show = () =>
    draw().then(
      (png) => ({ 'text/plain': words, 'image/png': Buffer.from(png).toString('base64') }),
      (error: Error) => ({ 'text/plain': `${words}; no image: ${error.message}` }),
    );
  return Object.defineProperty(value, customDisplay, { value: show });
}

/** What stops set-up: one sentence that says what is wrong and one that says what to do. */
export class Fault extends Error {
  /**
   * @param {string} sentence what is wrong, and where
   * @param {string} remedy what the reader should do
   * @param {string} [log] file with the whole story
   */
  constructor(sentence, remedy, log) {
    super(sentence);
    this.name = 'Fault';
    this.remedy = remedy;
    this.log = log;
  }

  toString() {
    const log = this.log ? `\n  Log: ${this.log}` : '';
    return `set-up: ${this.message}\n  Remedy: ${this.remedy}${log}`;
  }
}

/** What fails a cell that was interrupted. */
class Interrupted extends Error {
  name = 'Interrupted';
  message = 'the cell was interrupted';
}

module.exports = { Interrupted };

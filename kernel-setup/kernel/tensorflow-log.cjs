// TensorFlow's notices of a healthy start do not belong into a notebook. It filters its own log by
// TF_CPP_MIN_LOG_LEVEL, except what it logs before it has read that: those lines are filtered here.
const levels = { I: 0, W: 1, E: 2, F: 3 };
/** `I0000 00:00:1795535044.697210    4563 port.cc:153] ...`, with a level that TensorFlow was asked to hide. */
const logLine = /^([IWEF])\d{4} \d\d:\d\d:[\d.]+ +\d+ \S+:\d+\] /;
const notice = 'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR';

/** The text without the lines of a lower level than `least`. */
function withoutNotices(text, least) {
  if (least === 0 || !/^(WARNING: All|[IWEF]\d{4} )/m.test(text)) return text;
  const kept = text.split('\n').filter((line) => {
    const level = logLine.exec(line)?.[1];
    return line !== notice && !(level && levels[level] < least);
  });
  return kept.join('\n');
}

module.exports = { withoutNotices };

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { trySetUp } from './cli.mjs';
import { inForeground } from './foreground.mjs';
import { inProject, inState } from './paths.mjs';

/** Counts from vitest's JSON report. A file that fails before its tests exist counts as one failure. */
function countTests(report) {
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** The counts of a vitest run, never better than its exit status. */
export function countRun(report, status) {
  const counts = report ? countTests(report) : { passed: 0, failed: 0, skipped: 0 };
  // No report, an error outside of any test, or nothing that was run: vitest says so only by its status.
  if (counts.failed === 0 && (status !== 0 || counts.passed === 0)) counts.failed = 1;
  return counts;
}

export const countLine = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;

export async function test(args) {
  if (!(await trySetUp({ quiet: true }))) {
    console.log(countLine({ passed: 0, failed: 1, skipped: 0 }));
    return 1;
  }
  const reportFile = inState('test-report.json');
  mkdirSync(inState(), { recursive: true });
  // A report that is there afterwards was written by this run.
  rmSync(reportFile, { force: true });
  const status = await inForeground(
    process.execPath,
    [
      inProject('node_modules/vitest/vitest.mjs'),
      ...['run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`],
      ...args,
    ],
    { cwd: inProject() },
  );
  const report = existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, 'utf8')) : undefined;
  const counts = countRun(report, status);
  console.log(countLine(counts));
  return counts.failed > 0 ? status || 1 : 0;
}

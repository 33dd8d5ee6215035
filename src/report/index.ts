export { auditPage, type NamedAudit } from './audit-page.js';
export {
  type ChartOptions,
  drawChart,
  type LiveChart,
  liveChart,
  showChart,
  type VegaLiteSpec,
} from './chart.js';
export {
  type EmbeddingRow,
  embeddingChart,
  type IntervalRow,
  intervalChart,
  type TrainingChartOptions,
  type TrainingRow,
  trainingChart,
} from './charts.js';
export { closeUps } from './close-ups.js';
export { showCompiled, showCounts, showDefinition, showSlideList } from './dataset-page.js';
export { clearOutput, type DisplayMetadata, type LiveDisplay, type MimeBundle, newLiveDisplay } from './display.js';
export { type Figure, showPicture } from './figure.js';
export { writeGallery } from './gallery.js';
export {
  drawPictureGrid,
  type GridPicture,
  type PictureGridOptions,
  picturesOf,
  showPictureGrid,
} from './picture-grid.js';
export { duration, type Progress, progress } from './progress.js';
export { showProvenance } from './provenance-table.js';
export { resultsFrame } from './results-table.js';
export { shardPictures } from './shard-pictures.js';
export { display, html } from './show.js';
export {
  showDatasetCard,
  showNearDuplicates,
  showPlantedLeaks,
  showRuleAudits,
  showSiteLeakage,
} from './show-audit.js';
export { showSlideCut, showSlideFacts } from './slide-cut.js';
export { showTable, type TableLike, type TableOptions, type TableRow } from './table.js';
export { type ShownPatches, showViews } from './views.js';

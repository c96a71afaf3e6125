/** How event time is cut into windows. All in ms but the last. */
export interface WindowsConfig {
  /** Length of a tumbling window. */
  sizeMs: number;
  /** The watermark follows the newest event time by this much. */
  allowedDisorderMs: number;
  /** A record this far behind the watermark still revises its window; older ones are only counted. */
  allowedLatenessMs: number;
  /** Span of the rolling statistics, a multiple of `sizeMs`. */
  rollingMs: number;
  /** Stream time without a record after which a service counts as idle. */
  idleTimeoutMs: number;
  /** Empty windows that one gap may give; the rest of a longer gap is skipped. */
  emptyWindowsMax: number;
}

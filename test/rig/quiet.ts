/** Silences the functions' logs and metrics in this process. Import it before any module that logs. */
process.env.POWERTOOLS_LOG_LEVEL = 'SILENT'
process.env.POWERTOOLS_METRICS_DISABLED = 'true'

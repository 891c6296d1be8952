/** Imported before anything that logs: the functions of this process keep their logs and metrics to themselves. */
process.env.POWERTOOLS_LOG_LEVEL = 'SILENT'
process.env.POWERTOOLS_METRICS_DISABLED = 'true'

/** Imported before anything that logs: the functions of this process keep their logs to themselves. */
process.env.POWERTOOLS_LOG_LEVEL = 'SILENT'

/** What a measured process has used since its start. */
export interface Usage {
  readonly cpuMs: number
  readonly peakMegabytes: number
}

export function usage(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1000, peakMegabytes: process.resourceUsage().maxRSS / 1024 }
}

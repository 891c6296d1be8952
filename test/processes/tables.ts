export const tables = ['customers', 'items', 'orders'] as const
export type Table = (typeof tables)[number]

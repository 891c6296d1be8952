/** What an action answers, or why it could not. */
export type Reply<Answer> = { readonly answer: Answer } | { readonly error: string }

/** The answer's form is that of messages.ts: page and server are one program. */
export async function post<Answer>(action: string, body: object = {}): Promise<Reply<Answer>> {
  return ask<Answer>(action, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
}

export async function get<Answer>(path: string, query: Record<string, string>): Promise<Reply<Answer>> {
  return ask<Answer>(`${path}?${new URLSearchParams(query)}`)
}

async function ask<Answer>(path: string, options: RequestInit = {}): Promise<Reply<Answer>> {
  try {
    const response = await fetch(path, options)
    const answer = await response.json()
    return response.ok ? { answer: answer as Answer } : { error: String(answer.error) }
  } catch {
    return {
      error:
        'The server of the page does not answer. Is the command that printed this address still running?',
    }
  }
}

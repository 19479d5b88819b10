import { get } from 'node:http'

interface RaftView {
  leader?: string
}

interface JetStreamView {
  meta_cluster?: RaftView
  account_details?: ReadonlyArray<{ stream_detail?: ReadonlyArray<{ name: string; cluster?: RaftView }> }>
}

/** The id that a server gave itself at its start; null when it does not answer. */
export async function readServerId(port: number): Promise<string | null> {
  const text = await fetchText(`http://127.0.0.1:${port}/varz`)
  return text === null ? null : (JSON.parse(text) as { server_id: string }).server_id
}

/** What one server says about JetStream on its monitoring port; null when it does not answer. */
export async function readJetStream(port: number): Promise<JetStreamView | null> {
  const text = await fetchText(`http://127.0.0.1:${port}/jsz?streams=true`)
  return text === null ? null : (JSON.parse(text) as JetStreamView)
}

/** Who leads a stream in the eyes of the server that said this; null when it does not hold the stream or sees no leader. */
export function streamLeader(view: JetStreamView, stream: string): string | null {
  const details = (view.account_details ?? []).flatMap((account) => account.stream_detail ?? [])
  return details.find(({ name }) => name === stream)?.cluster?.leader || null
}

/** Who leads the cluster's own group (placement of streams), in the eyes of the server that said this. */
export const metaLeader = (view: JetStreamView): string | null => view.meta_cluster?.leader || null

function fetchText(url: string): Promise<string | null> {
  return new Promise((resolve) => {
    const nothing = (): void => resolve(null)
    const request = get(url, { agent: false, timeout: 1000 }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve(response.statusCode === 200 ? text : null))
      response.on('error', nothing)
    })
    request.on('error', nothing)
    request.on('timeout', () => request.destroy(new Error('no answer')))
  })
}

import { describeError, OperatorError, TidegateError } from '../../../sync/contract/index.ts'
import type { HandoverReport, HandoverStatus } from '../../observe/index.ts'
import { apiClient, followHandover } from '../api/index.ts'
import { type Context, defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { duration, flag } from '../option.ts'
import { Progress } from '../progress.ts'

interface Options {
  config: string | undefined
  data: string | undefined
  timeout: number
  json: boolean
  stop: boolean
}

export const handover = defineCommand({
  name: 'handover',
  summary: 'Move everything to the other gateway, and say when this machine may be switched off.',
  usage: '[--config FILE | --data DIR] [--timeout DURATION] [--stop | --cancel] [--json]',
  description:
    'Devices are answered and asked to leave, the peers get every record and take over. The gateway runs on, without devices, until --cancel or a restart. Ctrl-C before the end gives it up: devices are taken again.',
  options: {
    config: configOption,
    data: dataOption,
    timeout: duration('Give it up when it has not succeeded by then.', '10m'),
    stop: flag('End the gateway when everything is handed over.'),
    cancel: flag('Take devices again, now or after a handover.'),
    json: flag('Print what was done as one JSON object.'),
  },
  examples: [
    { command: 'tidegate handover && systemctl stop tidegate', effect: 'before the machine is switched off' },
    { command: 'tidegate handover --cancel', effect: 'the work is done, or put off' },
  ],
  exitCodes: {
    0: 'safe to switch off',
    1: 'given up: no peer is there, or it took too long; devices are taken again',
    3: 'no gateway runs there, or it is configured to be alone',
    130: 'interrupted; devices are taken again',
  },
  run: (context, { options }) => (options.cancel ? cancel(context, options) : handOver(context, options)),
})

async function handOver(context: Context, options: Options): Promise<number> {
  const { stdout, stderr, clock, signal } = context
  const progress = new Progress(stderr, clock)
  const client = await apiClient(options, context)
  // Nothing but the answer keeps the process alive.
  const alive = setInterval(() => {}, 60_000)
  try {
    const { stop, timeout } = options
    const onProgress = (status: HandoverStatus): void => progress.show(() => shown(status))
    const report = await followHandover({ client, timeout: `${timeout}ms`, stop, signal, onProgress })
    progress.clear()
    stdout.write(options.json ? `${JSON.stringify(report)}\n` : told(report, stop))
    return EXIT.ok
  } catch (error) {
    progress.clear()
    if (signal.aborted) return await giveUp(context, options)
    if (error instanceof TidegateError && error.code === 'HANDOVER_NO_PEER')
      throw new OperatorError(error.code, error.message)
    throw error
  } finally {
    clearInterval(alive)
  }
}

/** The gateway notices by itself that nobody waits any more; said once more, it has happened when this ends. */
async function giveUp(context: Context, options: Options): Promise<number> {
  const client = await apiClient(options, { ...context, signal: new AbortController().signal })
  try {
    await client.request({ method: 'DELETE', path: '/handover' })
    context.stderr.write('given up: devices are taken again\n')
  } catch (error) {
    context.stderr.write(`given up, and it is not known whether devices are taken again: ${describeError(error)}\n`)
  }
  return EXIT.interrupted
}

async function cancel(context: Context, options: Options): Promise<number> {
  const client = await apiClient(options, context)
  const { value } = await client.request<{ cancelled: boolean }>({ method: 'DELETE', path: '/handover' })
  const text = value.cancelled ? 'devices are taken again' : 'nothing was handed over'
  context.stdout.write(`${options.json ? JSON.stringify(value) : text}\n`)
  return EXIT.ok
}

function shown({ stage, asked, devices, peers }: HandoverStatus): string {
  if (stage === 'emptying') return `asking devices to leave: ${devices} of ${asked} are still here `
  const behind = peers.filter(({ takesOver }) => takesOver).map((peer) => `${peer.gateway} lacks ${peer.behind}`)
  return `waiting until the peers have every record: ${behind.join(', ')} `
}

function told({ asked, peers, heldByPeers, holdsOfOthers }: HandoverReport, stop: boolean): string {
  const lines = [
    'safe to switch off',
    `- ${asked} devices were answered and asked to leave`,
    `- ${peers.join(' and ')} ${peers.length === 1 ? 'has' : 'have'} every record and took over`,
  ]
  if (heldByPeers > 0) lines.push(`- ${heldByPeers} records are not at the centre yet: they are forwarded from there`)
  if (holdsOfOthers > 0)
    lines.push(`- this disk holds ${holdsOfOthers} records of gateways that are gone: keep it until it has run again`)
  lines.push(
    stop
      ? 'the gateway ends now'
      : 'the gateway runs on and takes no devices, until `tidegate handover --cancel` or a restart',
  )
  return `${lines.join('\n')}\n`
}

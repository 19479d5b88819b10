import { expect, it, onTestFinished } from 'vitest'
import { startCluster } from '../../../simulators/central/index.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createStream, messageCount, publish, STREAM } from './support/stream.ts'

it('keeps a replicated stream going when its leader dies, and takes the leader back', async () => {
  const cluster = await startCluster({ dir: await tempDir(), syncInterval: 'always' })
  onTestFinished(() => cluster.kill())
  expect(cluster.nodes.map(({ name }) => name)).toEqual(['n1', 'n2', 'n3'])
  expect(await cluster.leaderOf(STREAM)).toBeNull()

  await createStream(cluster.urls, 3)
  const first = await cluster.waitLeader(STREAM)
  expect(await publish(cluster.urls, 'one')).toBe(1)

  await first.kill('SIGKILL')
  const second = await cluster.waitLeader(STREAM, first)
  expect(second).not.toBe(first)
  expect(await publish([second.url], 'two')).toBe(2)

  await first.restart()
  await cluster.restart()
  await cluster.waitLeader(STREAM)
  expect(await messageCount(cluster.urls)).toBe(2)
  await cluster.stop()
  expect(cluster.nodes.map(({ running }) => running)).toEqual([false, false, false])
}, 90_000)

it('gives each node configuration of its own', async () => {
  const cluster = await startCluster({
    dir: await tempDir(),
    nodes: 2,
    extraConfig: (node) => (node === 'n2' ? 'max_payload: 2048' : ''),
  })
  onTestFinished(() => cluster.kill())
  const payloads = await Promise.all(
    cluster.nodes.map(async ({ monitorPort }) => {
      const response = await fetch(`http://127.0.0.1:${monitorPort}/varz`)
      return ((await response.json()) as { max_payload: number }).max_payload
    }),
  )
  expect(payloads).toEqual([1_048_576, 2048])
}, 90_000)

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadConfig } from '../../../gateway/config/index.ts'
import { tempDir } from '../../support/temp-dir.ts'

it('takes relative paths from the folder of the file', async () => {
  const dir = await tempDir()
  await writeFile(join(dir, 'plant.yaml'), 'site: a\ngateway: b\ndataDir: store\n')
  expect((await loadConfig(join(dir, 'plant.yaml'), {})).dataDir).toBe(join(dir, 'store'))
})

it('says which file it expected and how to get one', async () => {
  const file = join(await tempDir(), 'nowhere.yaml')
  await expect(loadConfig(file, {})).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: `expected a configuration file at ${file} but could not read it (ENOENT); \`tidegate config example\` prints one to start from`,
  })
})

it('names the file in problems', async () => {
  const dir = await tempDir()
  await writeFile(join(dir, 'plant.yaml'), 'site: a\ngateway: b\nlog: { level: loud }\n')
  await expect(loadConfig(join(dir, 'plant.yaml'), {})).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    problems: [{ where: 'plant.yaml', line: 3, path: 'log.level' }],
  })
})

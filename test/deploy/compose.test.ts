import { access, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { COMMANDS } from '../../gateway/cli/commands/index.ts'
import { parseConfig } from '../../gateway/config/index.ts'

const deploy = (path: string): URL => new URL(`../../deploy/${path}`, import.meta.url)
const text = (path: string): Promise<string> => readFile(deploy(path), 'utf8')

interface Service {
  command?: string[]
  build?: { context: string; dockerfile: string }
  environment: Record<string, string>
  volumes: string[]
  depends_on?: Record<string, { condition: string }>
}

interface Compose {
  services: Record<string, Service>
  volumes: Record<string, null>
}

/** The file with the variables of `.env` put in. */
async function compose(): Promise<Compose> {
  const file = await text('compose.yaml')
  return parse(file.replaceAll(/\$\{(\w+):\?[^}]*\}/g, 'secret-of-$1')) as Compose
}

describe('the compose file', () => {
  it('asks, alone or with the one for two, for exactly the variables that .env.example lists', async () => {
    const files = `${await text('compose.yaml')}${await text('compose.pair.yaml')}`
    const asked = new Set([...files.matchAll(/\$\{(\w+)/g)].map(([, name]) => name))
    const listed = [...(await text('.env.example')).matchAll(/^(\w+)=/gm)].map(([, name]) => name)
    expect([...asked].toSorted()).toEqual(listed.toSorted())
  })

  it('mounts files and volumes that exist', async () => {
    const { services, volumes } = await compose()
    for (const mount of Object.values(services).flatMap((service) => service.volumes)) {
      const [source = ''] = mount.split(':')
      if (source.startsWith('./')) await access(deploy(source))
      else expect(Object.keys(volumes)).toContain(source)
    }
    const { build } = services['gateway'] as Service
    await access(deploy(`${build?.context}/${build?.dockerfile}`))
  })

  it('waits only for services that exist', async () => {
    const { services } = await compose()
    for (const { depends_on = {} } of Object.values(services)) {
      for (const service of Object.keys(depends_on)) expect(Object.keys(services)).toContain(service)
    }
  })

  it('gives the gateway a valid configuration that reaches the server', async () => {
    const { services } = await compose()
    const config = parseConfig(await text('tidegate.yaml'), services['gateway']?.environment ?? {})
    expect(config.mqtt.listeners).toEqual([{ kind: 'tcp', host: '0.0.0.0', port: 1883 }])
    expect(config.central).toMatchObject({
      servers: ['nats://nats:4222'],
      user: config.site,
      password: 'secret-of-CENTRAL_SITE_PASSWORD',
      provision: false,
    })
  })

  it('lets an administrator create the streams, with a command that exists', async () => {
    const { services } = await compose()
    const { command = [], environment } = services['streams'] as Service
    const { central } = parseConfig(await text('tidegate.yaml'), environment)
    expect(central).toMatchObject({ user: 'admin', password: 'secret-of-CENTRAL_ADMIN_PASSWORD' })
    expect(COMMANDS.map(({ name }) => name)).toContain(command.join(' '))
  })
})

describe('the image', () => {
  it('is built from files that the build sees', async () => {
    const [dockerfile, ignore] = [await text('Dockerfile'), await text('Dockerfile.dockerignore')]
    const seen = ignore.split('\n').flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []))
    const { include } = parse(await readFile(new URL('../../tsconfig.json', import.meta.url), 'utf8')) as {
      include: string[]
    }
    for (const path of include.filter((name) => name !== 'deploy')) expect(seen).toContain(path)
    expect(seen).toContain('deploy/bootstrap')
    const copied = /^COPY (package\.json .*) \.\/$/m.exec(dockerfile)?.[1]?.split(' ') ?? []
    expect(copied).toHaveLength(3)
    for (const path of copied) expect(seen).toContain(path)
  })

  it('runs the command of the package', async () => {
    const { bin } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      bin: { tidegate: string }
    }
    expect(await text('Dockerfile')).toContain(`ln -s /app/${bin.tidegate} /usr/local/bin/tidegate`)
  })
})

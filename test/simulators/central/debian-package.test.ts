import { describe, expect, it } from 'vitest'
import { installCommand, mirrorsOfPlan, mirrorsOfTargets } from '../../../simulators/central/debian-package.ts'

describe('the mirror that a machine is configured with', () => {
  it("is that of Debian's main archive, not of updates, security or other vendors", () => {
    const targets = [
      'http://security.example/debian-security/|bookworm-security|main|Debian',
      'http://mirror.example/debian/|bookworm-updates|main|Debian',
      'http://mirror.example/debian/|bookworm|contrib|Debian',
      'http://mirror.example/debian/|bookworm|main|Debian',
      'http://mirror.example/debian/|bookworm|main|Debian',
      'https://vendor.example/apt/|bookworm|main|Vendor',
      '',
    ].join('\n')
    expect(mirrorsOfTargets(targets)).toEqual(['http://mirror.example/debian/'])
  })

  it('is found in the plan of an update when no package lists are there', () => {
    const plan = [
      "'http://mirror.example/debian/dists/bookworm/InRelease' mirror_InRelease 0 ",
      "'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' mirror_Packages 0 ",
      "'http://mirror.example/debian/dists/bookworm/main/binary-all/Packages.xz' mirror_Packages 0 ",
      "'http://mirror.example/debian/dists/bookworm-updates/main/binary-amd64/Packages.xz' mirror_Packages 0 ",
      "'https://vendor.example/node/dists/nodistro/main/binary-amd64/Packages.xz' vendor_Packages 0 ",
    ].join('\n')
    expect(mirrorsOfPlan(plan, 'bookworm')).toEqual(['http://mirror.example/debian/'])
    expect(mirrorsOfPlan(plan, null)).toEqual([])
  })
})

describe('the command to type', () => {
  it.each([
    ['darwin', null, 'brew install nats-server'],
    ['linux', 'debian', 'sudo apt-get install nats-server'],
    ['linux', 'alpine', 'apk add nats-server'],
    ['linux', 'nixos', 'go install github.com/nats-io/nats-server/v2@latest'],
  ] as const)('on %s %s', (platform, distribution, command) => {
    expect(installCommand(platform, distribution)).toBe(`Run: ${command}`)
  })
})

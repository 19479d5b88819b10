import { describe, expect, it } from 'vitest'
import { reasonToInstall } from '../../../deploy/bootstrap/install.mjs'

const wanted = {
  packages: {
    '': { version: '0.1.0' },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/b-darwin': { version: '2.0.0', integrity: 'sha512-b', optional: true },
  },
}

describe('reasonToInstall', () => {
  it('installs when nothing is there', () => {
    expect(reasonToInstall(wanted, null)).toBe('none are there yet')
  })

  it('does not when all is there that this platform has', () => {
    expect(reasonToInstall(wanted, { packages: { 'node_modules/a': wanted.packages['node_modules/a'] } })).toBeNull()
  })

  it.each([
    ['is missing', {}],
    ['has another version', { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } }],
    ['has another content', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } }],
  ])('does when a package %s', (_, packages) => {
    expect(reasonToInstall(wanted, { packages })).toBe('package-lock.json has changed: node_modules/a')
  })

  it('does when an optional package is there in another version', () => {
    const packages = { ...wanted.packages, 'node_modules/b-darwin': { version: '1.9.0', integrity: 'sha512-b' } }
    expect(reasonToInstall(wanted, { packages })).toBe('package-lock.json has changed: node_modules/b-darwin')
  })
})

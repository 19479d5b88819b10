import type { Site } from '../site.ts'

/** One thing that can go wrong at a site, or be mended. */
export interface Fault {
  /** How often it comes, compared with the others. */
  weight: number
  /** The centre, or a disk, forgets what it has acknowledged: what is promised without that need not hold. */
  forgetful?: true
  strike(site: Site): void | Promise<void>
}

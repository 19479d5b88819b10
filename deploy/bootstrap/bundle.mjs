import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { built } from './process.mjs'

/** A native module, and one that starts workers from its own files: they stay where they are. */
const UNBUNDLED = ['classic-level', 'pino']

/** CommonJS packages among what is bundled ask for Node.js's modules with it. Under a name that no source imports it by. */
const REQUIRE =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url)"

/**
 * Makes dist/bin/tidegate.js of what the compiler wrote: a few files instead of several hundred, so that a gateway is there again sooner
 * after a power cut. What a command alone needs stays in files of its own, and is loaded when that command runs.
 *
 * @param {string} outdir
 * @param {import('esbuild').Plugin[]} plugins
 */
export async function bundle(outdir = built('bin'), plugins = []) {
  await build({
    entryPoints: { tidegate: built('gateway/cli/main.js') },
    outdir,
    plugins,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: UNBUNDLED,
    banner: { js: REQUIRE },
    sourcemap: true,
    logLevel: 'warning',
  })
  await chmod(join(outdir, 'tidegate.js'), 0o755)
}

// What `npm start`, `npm test` and the other scripts run: installs, builds and fetches what is missing, then does the job.
// This one file sticks to old syntax and imports nothing, so that an old Node reads it far enough to say that it is too old.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `Tidegate needs Node.js 20.19 or newer, this is ${process.versions.node}. With nvm: nvm install 22 && nvm use 22\n`,
  )
  process.exit(3)
}
void import('./bootstrap/main.mjs').then(({ main }) => main(process.argv.slice(2)))

/** The HTTP door of a gateway, for people and programs of the site. */

export { type ApiFile, readApiFile } from './api-file.ts'
export { type Api, type ApiParts, startApi } from './server.ts'

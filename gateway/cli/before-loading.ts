import { growOnlyWhenBusy } from './young-generation.ts'

growOnlyWhenBusy()

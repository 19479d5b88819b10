import { makeRoomWhenCrowded } from './heap-room.ts'
import { growOnlyWhenBusy } from './young-generation.ts'

growOnlyWhenBusy()
makeRoomWhenCrowded()

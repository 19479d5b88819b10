/**
 * Which gateway the connection of this number begins with: as many at each as at the others, and every round in another order, so
 * that what repeats along the devices as well (their payload forms, their sensors) does not gather at one gateway.
 */
export function firstGateway(connection: number, gateways: number): number {
  return (connection + Math.floor(connection / gateways)) % gateways
}

/** Who may connect and receive what; whatever is left out is allowed to everybody. */
export interface MqttAccess {
  /** Asked once for each CONNECT; a rejection or an exception refuses the client. */
  authenticate?(
    clientId: string,
    username: string | undefined,
    password: Buffer | undefined,
  ): boolean | Promise<boolean>
  /** Asked for each filter of a SUBSCRIBE, and again when a persistent session comes back; must not throw. */
  mayReceive?(clientId: string, filter: string): boolean
}

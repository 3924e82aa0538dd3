/** The address of a connection: IPv4 in IPv6 is shown as IPv4. */
export const peerAddress = (remote: string | undefined): string =>
  (remote ?? '').replace(/^::ffff:(?=\d+\.)/, '')

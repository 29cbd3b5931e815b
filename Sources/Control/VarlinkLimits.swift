internal import LinuxSystem

/// How much a client may ask of the server.
package struct VarlinkLimits: Hashable, Sendable {
    /// Bytes of one message, without its NUL. A client with a longer one is disconnected.
    package var message = 1 << 20
    /// Connections at once; whoever comes then is disconnected.
    package var clients = 64
    /// Of these, for one process: one that leaks or floods does not lock out the others of its user,
    /// root's included.
    package var clientsPerProcess = 16
    /// Of these, for one user other than root.
    package var clientsPerUser = 16
    /// Of ``clients``, for root alone, so that other users cannot lock it out.
    package var reservedForRoot = 16
    /// Bytes of replies to one call that wait for the client to read them. A client that lets
    /// another reply make them more is disconnected; a single one may be longer.
    package var outgoing = 4 << 20
    /// Bytes of replies that wait for clients of all users other than root: beyond, their further
    /// calls wait.
    package var outgoingOfUsers = 16 << 20
    /// Calls of one user other than root, all connections together. Further ones are not refused:
    /// they wait, and nothing more is read from that user's connection until it is their turn.
    package var calls = Rate(burst: 50, perSecond: 20)
    /// Calls of root.
    package var callsOfRoot = Rate(burst: 1000, perSecond: 500)
    /// New connections of one user other than root. Further ones wait as calls do.
    package var connections = Rate(burst: 50, perSecond: 10)
    /// New connections of root.
    package var connectionsOfRoot = Rate(burst: 1000, perSecond: 500)
    /// From a message's first byte to its last.
    package var messageTime = Duration.seconds(10)
    /// How long nothing of the waiting replies is read.
    package var drainTime = Duration.seconds(10)

    /// So many at once, and then so many in each second.
    package struct Rate: Hashable, Sendable {
        /// At once.
        package var burst: Int
        /// Afterwards, in each second.
        package var perSecond: Double

        package init(burst: Int, perSecond: Double) {
            self.burst = burst
            self.perSecond = perSecond
        }
    }

    package init() {}

    /// Whether one more connection of this process may stand beside those of `present`.
    func admits(
        _ client: PeerCredentials, beside present: some Collection<PeerCredentials>
    ) -> Bool {
        present.count(where: { $0.pid == client.pid }) < clientsPerProcess
            && admits(client.uid, beside: present.map(\.uid))
    }

    /// Whether one more connection of this user may stand beside the present ones.
    func admits(_ user: UInt32, beside present: some Collection<UInt32>) -> Bool {
        if user == 0 { return present.count < clients }
        return present.count(where: { $0 != 0 }) < clients - reservedForRoot
            && present.count < clients
            && present.count(where: { $0 == user }) < clientsPerUser
    }
}

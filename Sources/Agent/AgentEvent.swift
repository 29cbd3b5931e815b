internal import Enforcement
internal import LinuxSystem

/// An event that the agent's loop takes up.
enum AgentEvent: Sendable {
    /// A change of the configuration directory, or none where it is only time to look again.
    ///
    /// - Parameter noticed: when it had settled, since the host was started.
    case directory([DirectoryChange], noticed: Duration)
    case addresses
    /// Addresses changed a while ago, and with them routes may have.
    case routes
    case signal(Signal)
    case command(PendingCommand)
    /// Something was done beside this queue, after which there may be more to do.
    case done
    /// Flows that the generation in force does not permit were looked for.
    case flowsEnded
    /// Look at other programs' tables, which changed.
    case shadows
    /// Try a configuration again that could not be put in force.
    case retry
    /// The time to confirm in may have passed.
    case deadline
    case watchdog
    /// A source of events ended, without which the agent would be blind.
    case failure(String)

    /// A wish of a client of the control socket.
    enum Command: Sendable {
        case apply(Reconciler.ApplyRequest)
        case rollback(generation: Int?)
        case flush
    }
}

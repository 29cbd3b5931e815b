/// Why the agent does not do what it is asked for.
package enum AgentProblem: Hashable, Sendable {
    /// Nothing listens at the socket.
    case notRunning(socket: String)
    /// The socket lets root and the readers' group in.
    case notAdmitted(socket: String, readers: String)
    /// The method is root's; the readers' group may call others.
    case notPermitted(readers: String)
    /// It does not answer, for this reason.
    case silent(String)
    /// It refuses by an error that has no words for people.
    case refusing(String)
    /// Its answer can't be read, for this reason.
    case unreadable(String)
    /// It ended while it was listened to.
    case ended

    /// The reason and what to do, in a sentence without its end.
    package var words: String {
        switch self {
        case .notRunning(let socket):
            "the agent is not running (nothing listens at \(socket)): start it with systemctl start pexip-fw; the rules in the kernel are as it left them"
        case .notAdmitted(let socket, let readers):
            "not permitted to connect to \(socket): run this as root, or as a member of the group \(readers) to look only"
        case .notPermitted(let readers):
            "only root may do this; members of the group \(readers) may look"
        case .silent(let reason): "the agent does not answer: \(reason)"
        case .refusing(let error): "the agent refuses: \(error)"
        case .unreadable(let reason):
            "the agent answers in another version's words (\(reason)): restart it"
        case .ended: "the agent has ended; the rules stay in force"
        }
    }
}

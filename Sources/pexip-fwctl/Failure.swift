import Control
import Display

/// An end that is not success: printed to standard error, with an exit status that scripts can tell
/// apart.
struct Failure: Error, CustomStringConvertible {
    enum Status: Int32 {
        case failure = 1
        case notRunning = 3
        case notPermitted = 4
    }

    let status: Status
    let description: String

    /// The agent could not be asked at all.
    var isUnreachable: Bool { status == .notRunning || status == .notPermitted }

    init(_ status: Status, _ description: String) {
        self.status = status
        self.description = description
    }

    init(_ status: Status, _ problem: AgentProblem) { self.init(status, problem.words) }

    init(_ error: VarlinkClientError) {
        switch error {
        case .notRunning(let path): self.init(.notRunning, .notRunning(socket: path))
        case .permissionDenied(let path):
            self.init(
                .notPermitted,
                .notAdmitted(socket: path, readers: PexipFirewallInterface.readersGroup))
        case .timeout, .protocolError, .system: self.init(.failure, .silent("\(error)"))
        }
    }

    init(_ error: VarlinkError) {
        if error.name == VarlinkError.permissionDenied.name {
            self.init(
                .notPermitted, .notPermitted(readers: PexipFirewallInterface.readersGroup))
        } else if let message = error.message {
            self.init(.failure, message)
        } else {
            self.init(.failure, .refusing("\(error)"))
        }
    }
}

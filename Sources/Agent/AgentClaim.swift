internal import Enforcement
internal import Glibc
internal import LinuxSystem
internal import Logging
internal import Reports
internal import SystemPackage

/// The things that one process has for itself alone: the tables of a network namespace, a state
/// directory and a control socket. Two agents that share one of these would undo each other's work.
///
/// It is claimed before anything is touched, and goes with the process, however that ends. Processes
/// that this one starts have no part in it.
final class AgentClaim: Sendable {
    /// A thing that is claimed.
    enum Extent: Sendable {
        /// Everything, for as long as the process runs.
        case agent
        /// The tables, for a moment.
        case tables
    }

    /// The name that whoever writes our tables has in a network namespace.
    private static let tables = "pexip-fwd"
    /// The name that an agent has beside it until it is told to end.
    private static let life = "pexip-fwd/running"
    /// The user that the package's agent runs as.
    private static let user = "pexip-fw"

    /// A process that runs may be about to end, by SIGKILL say.
    private static let patience = Duration.seconds(1)
    /// A process that is ending, or restores for a boot, will let go.
    private static let patienceWithEnding = Duration.seconds(5)

    /// nil where somebody has it who can't keep an agent from its work.
    private let tables: ExclusiveName?
    private let life: ExclusiveName?
    /// The lock of the state directory, which may not be taken yet.
    let state: FileLock

    /// - Throws: whose it is already.
    init(_ extent: Extent, _ options: AgentOptions, log: Logger) throws(AgentFailure) {
        tables = try Self.claimTables(Self.ownUsers(options, log), log)
        state = FileLock(GenerationStore.lock(in: options.stateDirectory))
        guard extent == .agent else {
            life = nil
            return
        }
        try Self.expectNoServer(at: options.socketPath)
        try Self.claim(state, of: options.stateDirectory)
        do throws(SystemError) {
            life = try ExclusiveName(Self.life)
        } catch {
            throw AgentFailure(description: "can't claim the tables: \(error)")
        }
    }

    /// Goes on with what a program claimed which this process was before.
    init(adopting passed: [Int32], _ options: AgentOptions) {
        func name(_ descriptor: Int32) -> ExclusiveName? {
            descriptor < 0 ? nil : ExclusiveName(adopting: FileDescriptor(rawValue: descriptor))
        }
        tables = name(passed[0])
        life = name(passed[1])
        let path = GenerationStore.lock(in: options.stateDirectory)
        state =
            passed[2] < 0
            ? FileLock(path)
            : FileLock(path, adopting: FileDescriptor(rawValue: passed[2]))
    }

    /// For ``init(adopting:_:)``; -1 where there is none.
    var passed: [Int32] {
        [tables?.descriptor, life?.descriptor, state.descriptor].map { $0?.rawValue ?? -1 }
    }

    /// Answers those who ask whose it is. To be called when threads may be started.
    func forgetAskers() {
        tables?.forgetAskers()
        life?.forgetAskers()
    }

    /// Others who wait for this process's end may do so longer.
    func announceEnd(_ log: Logger) {
        state.announceEnd()
        do throws(SystemError) {
            try life?.withdraw()
        } catch {
            log.warning("the next agent will not wait for this one: \(error)")
        }
    }

    // MARK: Whose it is

    /// Somebody who has what is claimed.
    private struct Holder {
        let pid: Int32?
        let isEnding: Bool
        /// The thing of this process's that somebody else has.
        let what: String

        var description: String {
            let who =
                pid.map { "\(ProcessIdentity(pid: $0))" } ?? "a process that is not to be seen"
            return isEnding
                ? "\(what) of \(who), which has not ended in \(patienceWithEnding)"
                : "\(what) of \(who), which runs: only one can; stop it first"
        }
    }

    /// Tries until nobody has it any more.
    private static func waiting(
        _ attempt: () throws(AgentFailure) -> Holder?
    ) throws(AgentFailure) {
        let start = ContinuousClock.now
        while let holder = try attempt() {
            let patience = holder.isEnding ? patienceWithEnding : patience
            guard ContinuousClock.now - start < patience else {
                throw AgentFailure(description: holder.description)
            }
            usleep(50_000)
        }
    }

    /// The users whose processes may be agents. Any other could take the name to keep the agent from
    /// its work.
    private static func ownUsers(_ options: AgentOptions, _ log: Logger) -> Set<UInt32> {
        var users: Set<UInt32> = [0, geteuid()]
        var status = stat()
        if stat(options.stateDirectory, &status) == 0 { users.insert(status.st_uid) }
        do throws(SystemError) {
            if let id = try LocalUsers.id(of: user) { users.insert(id) }
        } catch {
            log.warning("it is not known who \(user) is: \(error)")
        }
        return users
    }

    /// - Returns: nil, with a warning, where somebody has the name who is no agent.
    private static func claimTables(
        _ own: Set<UInt32>, _ log: Logger
    ) throws(AgentFailure) -> ExclusiveName? {
        let start = ContinuousClock.now
        var name: ExclusiveName?
        try waiting { () throws(AgentFailure) in
            do throws(SystemError) {
                name = try ExclusiveName(tables)
                if name != nil { return nil }
                let what = "the tables of this network namespace are those"
                let credentials = try ExclusiveName.holder(of: tables)
                if let credentials, own.contains(credentials.uid) {
                    let isAlive = try ExclusiveName.holder(of: life)?.pid == credentials.pid
                    return Holder(
                        pid: credentials.pid > 0 ? credentials.pid : nil, isEnding: !isAlive,
                        what: what)
                }
                // An agent answers as soon as it has the name.
                if credentials == nil, ContinuousClock.now - start < patience {
                    return Holder(pid: nil, isEnding: true, what: what)
                }
                let who =
                    credentials.map { "\(ProcessIdentity(pid: $0.pid)) of user \($0.uid)" }
                    ?? "somebody"
                log.warning(
                    "\(who) has the name @\(tables), by which agents know of each other, and is none: a second agent would not be noticed"
                )
                return nil
            } catch {
                throw AgentFailure(description: "can't claim the tables: \(error)")
            }
        }
        return name
    }

    /// Refuses a socket that another process serves, in another network namespace.
    private static func expectNoServer(at path: String) throws(AgentFailure) {
        try waiting {
            do throws(SystemError) {
                return try UnixListener.server(at: path).map {
                    Holder(
                        pid: $0.pid > 0 ? $0.pid : nil, isEnding: false,
                        what: "the control socket \(path) is that")
                }
            } catch {
                // An obstacle is told where the socket is made.
                return nil
            }
        }
    }

    /// Takes the lock of the state directory, where that can be: an agent without a directory that it
    /// can write goes on, and takes the lock before it writes.
    private static func claim(_ lock: FileLock, of directory: String) throws(AgentFailure) {
        try waiting {
            do throws(SystemError) {
                try GenerationStore.makeDirectory(directory)
                return try lock.take().map {
                    Holder(
                        pid: $0.pid, isEnding: $0.isEnding,
                        what: "the state directory \(directory) is that")
                }
            } catch {
                // Said as soon as something is to be stored.
                return nil
            }
        }
    }
}

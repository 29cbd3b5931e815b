internal import Glibc
internal import LinuxSystem
package import Logging
internal import Netlink
internal import Nftables
internal import SystemPackage

/// The parts of the kernel that only the privileged may open, opened, and for this process alone;
/// the privileges themselves are gone.
package struct KernelAccess: Sendable {
    let claim: AgentClaim
    /// Heard from this moment on, so that no change falls between here and the first read.
    let listener: RulesetListener
    let keeper: KernelKeeper

    /// Tells the program that this process executes in place of itself which descriptors and which
    /// process it goes on with.
    private static let variable = "PEXIP_FWD_ACCESS"

    /// Claims what no two processes may share, leaves `CAP_NET_ADMIN` to another process, and this one
    /// without any capability, for good.
    ///
    /// To be called before this process starts a thread. Where a sandbox forbids to give up
    /// capabilities by a system call, this program is executed anew, which has none.
    ///
    /// - Parameter isAgent: whether this process stays, rather than to change the tables and end.
    /// - Throws: where it can't be done; then nothing may be started.
    package init(for options: AgentOptions, isAgent: Bool, log: Logger) throws {
        if let passed = Execution.taken(Self.variable) {
            self = try Self.passed(passed, options)
        } else {
            // Before anything is opened that another agent could notice.
            let claim = try AgentClaim(isAgent ? .agent : .tables, options, log: log)
            self = try Self.opened(claim)
        }
    }

    private init(claim: AgentClaim, listener: RulesetListener, keeper: KernelKeeper) {
        self.claim = claim
        self.listener = listener
        self.keeper = keeper
    }

    private static func opened(_ claim: AgentClaim) throws -> KernelAccess {
        let opened = KernelAccess(
            claim: claim, listener: try RulesetListener(), keeper: try KernelKeeper())
        do {
            try Privileges.keepOnly([])
        } catch {
            guard error.isForbidden, geteuid() != 0 else { throw error }
            let keeper = opened.keeper.passed
            let descriptors =
                [opened.listener.descriptor.rawValue, keeper.descriptor] + claim.passed
            try Execution.again(
                variable, ([keeper.pid] + descriptors).map { "\($0)" }.joined(separator: ","),
                passing: descriptors.filter { $0 >= 0 }.map { FileDescriptor(rawValue: $0) })
        }
        return opened
    }

    private static func passed(_ text: String, _ options: AgentOptions) throws -> KernelAccess {
        let numbers = text.split(separator: ",").compactMap { Int32($0) }
        guard numbers.count == 6 else {
            throw AgentFailure(description: "\(variable) is for the agent itself: unset it")
        }
        for descriptor in numbers[1...] where descriptor >= 0 {
            try Execution.keepToThisProgram(descriptor)
        }
        // All own their descriptors from here on.
        let opened = KernelAccess(
            claim: AgentClaim(adopting: Array(numbers[3...]), options),
            listener: try RulesetListener(adopting: numbers[1]),
            keeper: try KernelKeeper(
                adopting: KernelKeeper.Passed(pid: numbers[0], descriptor: numbers[2])))
        try Privileges.expectNone()
        return opened
    }
}

internal import Glibc
internal import LinuxSystem
internal import Nftables
internal import SystemPackage

/// What of the kernel only the privileged may open, opened; the privileges themselves are gone.
package struct KernelAccess: Sendable {
    /// Heard from this moment on, so that no change falls between here and the first read.
    let listener: RulesetListener
    let keeper: KernelKeeper

    /// Tells the program that this process executes in place of itself which descriptors and which
    /// process it goes on with.
    private static let variable = "PEXIP_FWD_ACCESS"

    /// Leaves `CAP_NET_ADMIN` to another process and this one without any capability, for good.
    ///
    /// To be called before this process starts a thread. Where a sandbox forbids to give up
    /// capabilities by a system call, this program is executed anew, which has none.
    ///
    /// - Throws: where it can't be done; then nothing may be started.
    package init() throws {
        let opened = try Execution.taken(Self.variable).map(Self.passed) ?? Self.opened()
        listener = opened.listener
        keeper = opened.keeper
    }

    private typealias Opened = (listener: RulesetListener, keeper: KernelKeeper)

    private static func opened() throws -> Opened {
        let opened = (listener: try RulesetListener(), keeper: try KernelKeeper())
        do {
            try Privileges.keepOnly([])
        } catch {
            guard error.isForbidden, geteuid() != 0 else { throw error }
            let keeper = opened.keeper.passed
            try Execution.again(
                variable,
                "\(opened.listener.descriptor.rawValue),\(keeper.descriptor),\(keeper.pid)",
                passing: [
                    opened.listener.descriptor, FileDescriptor(rawValue: keeper.descriptor),
                ])
        }
        return opened
    }

    private static func passed(_ text: String) throws -> Opened {
        let numbers = text.split(separator: ",").compactMap { Int32($0) }
        guard numbers.count == 3 else {
            throw AgentFailure(description: "\(variable) is for the agent itself: unset it")
        }
        for descriptor in numbers[..<2] { try Execution.keepToThisProgram(descriptor) }
        // Both own their descriptors from here on.
        let opened = (
            listener: try RulesetListener(adopting: numbers[0]),
            keeper: try KernelKeeper(
                adopting: KernelKeeper.Passed(pid: numbers[2], descriptor: numbers[1]))
        )
        try Privileges.expectNone()
        return opened
    }
}

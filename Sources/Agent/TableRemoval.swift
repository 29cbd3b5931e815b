internal import Enforcement
package import Logging
internal import Nftables

/// The removal of the package, with the agent stopped: takes our tables away.
package struct TableRemoval: Sendable {
    private let access: KernelAccess
    private let log: Logger

    /// - Parameter access: the kernel, opened before capabilities were given up.
    package init(access: KernelAccess, log: Logger) {
        self.access = access
        self.log = log
    }

    /// - Throws: why they are still there, as they were.
    package func run() async throws {
        let kernel = NftablesKernel(access.keeper) { [log] in log.warning("\($0)") }
        _ = try await Removal(kernel: kernel, log: log).run()
        try await kernel.stop()
    }
}

internal import Enforcement
package import Logging
internal import Nftables

/// The restoration at a boot, before there is a network: the last confirmed generation is put in
/// force, without any configuration and without the agent.
package struct BootRestore: Sendable {
    private let options: AgentOptions
    private let access: KernelAccess
    private let log: Logger

    /// - Parameter access: the kernel, opened before capabilities were given up.
    package init(options: AgentOptions, access: KernelAccess, log: Logger) {
        self.options = options
        self.access = access
        self.log = log
    }

    /// - Throws: why nothing was restored; the kernel holds what it held before.
    package func run() async throws {
        let kernel = NftablesKernel(access.keeper, listener: access.listener) { [log] in
            log.warning("\($0)")
        }
        _ = try await Restoration(
            kernel: kernel, store: GenerationStore(directory: options.stateDirectory),
            clock: KernelClock(bootID: options.bootID), log: log
        ).run()
        try await kernel.stop()
    }
}

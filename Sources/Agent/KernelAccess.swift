internal import LinuxSystem
internal import Nftables

/// What of the kernel only the privileged may open, opened; the privileges themselves are gone.
package struct KernelAccess: Sendable {
    /// Heard from this moment on, so that no change falls between here and the first read.
    let listener: RulesetListener
    let keeper: KernelKeeper

    /// Leaves `CAP_NET_ADMIN` to another process and this one without any capability, for good.
    ///
    /// To be called before this process starts a thread.
    ///
    /// - Throws: where it can't be done; then nothing may be started.
    package init() throws {
        listener = try RulesetListener()
        keeper = try KernelKeeper()
        try Privileges.keepOnly([])
    }
}

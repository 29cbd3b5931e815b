internal import Glibc
internal import LinuxSystem
package import Reports

/// The clocks of this host as deadlines need them.
package protocol HostClock: Sendable {
    /// Identifies the time since the host was started: another one means that it was started anew.
    var bootID: String { get }
    /// Time since the host was started, suspension included; nobody can set it.
    var sinceBoot: Duration { get }
    /// The wall clock, which may jump: for people.
    var now: Timestamp { get }
}

/// The kernel's clocks.
package struct KernelClock: HostClock {
    /// The id that was given, else the kernel's in hexadecimal digits, else a random one.
    package let bootID: String

    /// - Parameter bootID: the boot's id where a sandbox hides the kernel's own; nil to ask the
    ///   kernel. Where neither tells, every process counts as a boot of its own, so that a deadline
    ///   ends early rather than never.
    package init(bootID: String? = nil) {
        self.bootID =
            bootID ?? Self.kernelBootID ?? String(UInt128.random(in: .min ... .max), radix: 16)
    }

    /// By `CLOCK_BOOTTIME`.
    package var sinceBoot: Duration { BootTime.now }
    /// By `time(2)`, in whole seconds.
    package var now: Timestamp { .now }

    private static var kernelBootID: String? {
        do throws(SystemError) {
            let bytes = try AtomicFile.read("/proc/sys/kernel/random/boot_id", limit: 64)
            let text = String(decoding: bytes, as: UTF8.self).filter { $0.isHexDigit }
            return text.isEmpty ? nil : text
        } catch {
            return nil  // hidden by a sandbox
        }
    }
}

extension Timestamp {
    /// By the wall clock of this host.
    package static var now: Timestamp { Timestamp(seconds: Int64(time(nil))) }
}

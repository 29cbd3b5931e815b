internal import Glibc

/// Throws unless this process can make namespaces and load rules in them.
///
/// A suite of the real kernel calls this first. It must fail, not be skipped: a run without root
/// would otherwise look like a proof.
package func requireRoot() throws {
    guard geteuid() == 0 else {
        throw TestSupportError("the kernel tests need root: run `swift test` as root")
    }
    for (program, package) in [("ip", "iproute2"), ("nft", "nftables")] {
        guard ChildProcess.locate(program) != nil else {
            throw TestSupportError("`\(program)` is missing: apt-get install \(package)")
        }
    }
}

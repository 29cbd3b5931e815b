internal import Glibc

/// Throws unless this process can make namespaces and load rules in them.
///
/// A suite of the real kernel calls this first. It must fail, not be skipped: a run without root
/// would otherwise look like a proof.
package func requireRoot() throws {
    guard geteuid() == 0 else {
        throw TestSupportError("the kernel tests need root: run `swift test` as root")
    }
    try requirePrograms([("ip", "iproute2"), ("nft", "nftables")])
}

/// Throws, and says which of Debian's packages is missing, unless all the programs can be run.
package func requirePrograms(_ needed: [(program: String, package: String)]) throws {
    for (program, package) in needed where ChildProcess.locate(program) == nil {
        throw TestSupportError("`\(program)` is missing: apt-get install \(package)")
    }
}

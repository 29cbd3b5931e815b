internal import Enforcement
internal import LinuxSystem
internal import PortModel
internal import Site
internal import SystemPackage

/// Probes by connecting from this host, all at once.
struct ConnectionProber: Prober {
    /// A lost SYN is sent again after 1 and 3 seconds.
    private static let limit = Duration.seconds(5)

    func failures(of probes: [Probe]) async -> [ProbeFailure] {
        await withTaskGroup(of: (Int, ProbeFailure)?.self) { group in
            for (index, probe) in probes.enumerated() {
                group.addTask {
                    let result = await TCPConnection.attempt(
                        to: probe.address.bytes, port: probe.port, limit: Self.limit)
                    guard case .failure(let error) = result else { return nil }
                    return (index, ProbeFailure(probe: probe, reason: "\(error.errno)"))
                }
            }
            var failures: [(Int, ProbeFailure)] = []
            for await failure in group {
                if let failure { failures.append(failure) }
            }
            return failures.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

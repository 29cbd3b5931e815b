internal import Foundation

/// The network namespace of the test process itself.
package enum OwnNamespace {
    /// Tunnels that their modules add to every namespace.
    private static let fallbackDevices: Set<Substring> = [
        "lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0",
        "ip6gre0",
    ]

    /// A namespace that was just made has the loopback interface alone; a machine has others.
    package static func require() throws {
        let devices = try String(contentsOfFile: "/proc/self/net/dev", encoding: .utf8)
            .split(separator: "\n").compactMap { line in
                line.contains(":") ? line.split(separator: ":")[0].drop { $0 == " " } : nil
            }
        guard fallbackDevices.isSuperset(of: devices) else {
            throw TestSupportError(
                "these tests change the network namespace they run in: run packaging/test")
        }
    }
}

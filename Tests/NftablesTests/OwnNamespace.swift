import Foundation
import Testing

/// The network namespace of the test process itself.
enum OwnNamespace {
    /// Tunnels that their modules add to every namespace.
    private static let fallbackDevices: Set<Substring> = [
        "lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0",
        "ip6gre0",
    ]

    /// A namespace that was just made has the loopback interface alone; a machine has others.
    static func require() throws {
        let devices = try String(contentsOfFile: "/proc/self/net/dev", encoding: .utf8)
            .split(separator: "\n").compactMap { line in
                line.contains(":") ? line.split(separator: ":")[0].drop { $0 == " " } : nil
            }
        try #require(
            fallbackDevices.isSuperset(of: devices),
            "these tests change the network namespace they run in: run packaging/test")
    }
}

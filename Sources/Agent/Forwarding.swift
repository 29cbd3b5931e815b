internal import LinuxSystem
internal import PortModel

/// Whether this host forwards packets.
enum Forwarding {
    /// The families that it forwards, or may forward: a sandbox may hide the settings.
    static var families: Set<AddressFamily> { Set(AddressFamily.allCases.filter(isOn)) }

    private static func isOn(_ family: AddressFamily) -> Bool {
        let path =
            family == .ipv4
            ? "/proc/sys/net/ipv4/ip_forward" : "/proc/sys/net/ipv6/conf/all/forwarding"
        do throws(SystemError) {
            return try AtomicFile.read(path, limit: 16).first != UInt8(ascii: "0")
        } catch {
            return true  // hidden, so nothing is known
        }
    }
}

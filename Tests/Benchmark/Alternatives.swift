import Foundation
import PortModel
import TestSupport

/// What else an administrator would run: its packages' programs, with the inbound policy of a
/// Conferencing Node.
protocol Alternative: AnyObject {
    var name: String { get }
    /// The families for which it is set up.
    var families: Set<AddressFamily> { get }
    /// Its version, as its Debian package has it.
    var package: String { get }
    /// Puts the rules in force in a namespace.
    func start(in namespace: NetworkNamespace) throws
    /// Changes one port and puts the rules in force again, until they are; returns nanoseconds.
    func reload() throws -> Double
}

/// The inbound policy in the terms that all of them have.
private enum Inbound {
    static let tcp = ["22", "80", "443", "1720", "5060", "5061", "33000:39999", "40000:49999"]
    static let udp = ["1719", "40000:49999"]
    static let mesh = ["10.0.0.10", "10.0.0.22"]

    /// The TCP ports with one that differs at every other reload.
    static func tcp(variant: Int) -> [String] {
        tcp.map { $0 == "33000:39999" && variant % 2 == 1 ? "33001:39999" : $0 }
    }
}

/// A directory of files that stand in for the system's while a program runs.
private final class Overlay {
    let directory: URL
    private let mounts: [(inside: String, path: String)]

    /// - Parameter copies: system directories whose copies the program sees in their place.
    init(copies: [String], empty: [String] = []) throws {
        directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var mounts: [(String, String)] = []
        for path in copies + empty {
            let inside = path.replacing("/", with: "_")
            let place = directory.appending(path: inside)
            if copies.contains(path) {
                try ChildProcess.run(["cp", "-a", path, place.path]).requireSuccess()
            } else {
                try FileManager.default.createDirectory(
                    at: place, withIntermediateDirectories: true)
            }
            mounts.append((inside, path))
        }
        self.mounts = mounts
    }

    deinit { leavingBehind { try FileManager.default.removeItem(at: directory) } }

    func write(_ text: String, to path: String) throws {
        let mount = mounts.first { path.hasPrefix($0.path) }
        guard let mount else { throw BenchmarkError("\(path) is not overlaid") }
        let file = directory.appending(path: mount.inside + path.dropFirst(mount.path.count))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    /// The arguments that run a shell's command with the directories in place.
    func command(_ command: String) -> [String] {
        let mounting = mounts.map { "mount --bind \(directory.path)/\($0.inside) \($0.path) && " }
        return ["unshare", "--mount", "sh", "-c", mounting.joined() + command]
    }

    /// Runs a shell's command to its end; started from within the namespace, it pays for no more
    /// than the mounts.
    func run(
        _ command: String, in namespace: NetworkNamespace, environment: [String: String] = [:]
    ) throws {
        _ = try namespace.inside {
            try ChildProcess.run(
                self.command(command), timeout: .seconds(120), environment: environment
            ).requireSuccess()
        }
    }
}

final class Ferm: Alternative {
    let name = "ferm"
    let families: Set<AddressFamily> = [.ipv4, .ipv6]
    let package = "ferm"
    private let overlay: Overlay
    private var namespace: NetworkNamespace?
    private var variant = 0

    init() throws { overlay = try Overlay(copies: ["/etc/ferm"]) }

    func start(in namespace: NetworkNamespace) throws {
        self.namespace = namespace
        _ = try reload()
    }

    func reload() throws -> Double {
        guard let namespace else { throw BenchmarkError("\(name) is not started") }
        variant += 1
        try overlay.write(
            """
            domain (ip ip6) table filter chain INPUT {
                policy DROP;
                mod state state INVALID DROP;
                mod state state (ESTABLISHED RELATED) ACCEPT;
                interface lo ACCEPT;
                proto tcp dport (\(Inbound.tcp(variant: variant).joined(separator: " "))) ACCEPT;
                proto udp dport (\(Inbound.udp.joined(separator: " "))) ACCEPT;
            }
            domain ip table filter chain INPUT {
                proto icmp ACCEPT;
                saddr (\(Inbound.mesh.joined(separator: " "))) proto udp sport 500 dport 500 ACCEPT;
                saddr (\(Inbound.mesh.joined(separator: " "))) proto esp ACCEPT;
            }
            domain ip6 table filter chain INPUT proto ipv6-icmp ACCEPT;

            """, to: "/etc/ferm/ferm.conf")
        return try nanoseconds {
            try overlay.run("ferm /etc/ferm/ferm.conf", in: namespace)
        }
    }
}

final class Ufw: Alternative {
    let name = "ufw"
    let families: Set<AddressFamily> = [.ipv4, .ipv6]
    let package = "ufw"
    private let overlay: Overlay
    private var namespace: NetworkNamespace?
    private var variant = 0

    init() throws { overlay = try Overlay(copies: ["/etc/ufw", "/etc/default"], empty: ["/run"]) }

    func start(in namespace: NetworkNamespace) throws {
        self.namespace = namespace
        var lines = Inbound.tcp.map { "ufw allow proto tcp to any port \($0)" }
        lines += Inbound.udp.map { "ufw allow proto udp to any port \($0)" }
        lines += Inbound.mesh.map {
            "ufw allow proto udp from \($0) port 500 to any port 500 && ufw allow proto esp from \($0)"
        }
        try run(lines.joined(separator: " && ") + " && ufw --force enable")
    }

    func reload() throws -> Double {
        variant += 1
        let (new, old) = (Inbound.tcp(variant: variant)[6], Inbound.tcp(variant: variant + 1)[6])
        return try nanoseconds {
            try run(
                "ufw delete allow proto tcp to any port \(old) && ufw allow proto tcp to any port \(new)"
            )
        }
    }

    private func run(_ command: String) throws {
        guard let namespace else { throw BenchmarkError("\(name) is not started") }
        try overlay.run(command, in: namespace)
    }
}

final class Shorewall: Alternative {
    let name = "shorewall"
    /// Its counterpart for IPv6 is a package of its own.
    let families: Set<AddressFamily> = [.ipv4]
    let package = "shorewall"
    private let overlay: Overlay
    private var namespace: NetworkNamespace?
    private var variant = 0

    init() throws {
        overlay = try Overlay(copies: ["/etc/shorewall"], empty: ["/var/lib/shorewall", "/run"])
    }

    func start(in namespace: NetworkNamespace) throws {
        self.namespace = namespace
        try overlay.write("fw firewall\nnet ipv4\n", to: "/etc/shorewall/zones")
        try overlay.write("?FORMAT 2\nnet + dhcp\n", to: "/etc/shorewall/interfaces")
        try overlay.write(
            "$FW net ACCEPT\nnet all DROP\nall all REJECT\n", to: "/etc/shorewall/policy")
        try writeRules()
        try run("start")
    }

    private func writeRules() throws {
        var lines = ["?SECTION NEW"]
        lines += Inbound.tcp(variant: variant).map { "ACCEPT net $FW tcp \($0)" }
        lines += Inbound.udp.map { "ACCEPT net $FW udp \($0)" }
        for peer in Inbound.mesh {
            lines += ["ACCEPT net:\(peer) $FW udp 500 500", "ACCEPT net:\(peer) $FW esp"]
        }
        lines += ["ACCEPT net $FW icmp 8", ""]
        try overlay.write(lines.joined(separator: "\n"), to: "/etc/shorewall/rules")
    }

    func reload() throws -> Double {
        variant += 1
        try writeRules()
        return try nanoseconds { try run("reload") }
    }

    private func run(_ command: String) throws {
        guard let namespace else { throw BenchmarkError("\(name) is not started") }
        try overlay.run("shorewall -q \(command)", in: namespace)
    }
}

final class Firewalld: Alternative {
    let name = "firewalld"
    let families: Set<AddressFamily> = [.ipv4, .ipv6]
    let package = "firewalld"
    private let overlay: Overlay
    private var namespace: NetworkNamespace?
    private var daemon: ChildProcess?
    private var variant = 0

    init() throws { overlay = try Overlay(copies: ["/etc/firewalld"], empty: ["/run"]) }

    func start(in namespace: NetworkNamespace) throws {
        self.namespace = namespace
        try overlay.write(
            """
            <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
             "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig>
              <type>system</type>
              <listen>unix:path=/run/bus</listen>
              <policy context="default">
                <allow user="*"/><allow own="*"/><allow send_type="method_call"/>
                <allow send_destination="*"/><allow receive_sender="*"/>
              </policy>
            </busconfig>

            """, to: "/run/bus.conf")
        try writeZone()
        _ = try namespace.spawn(
            overlay.command("exec dbus-daemon --nofork --config-file=/run/bus.conf"))
        let daemon = try namespace.spawn(
            overlay.command(
                "while ! [ -S /run/bus ]; do sleep 0.1; done; exec firewalld --nofork --nopid"),
            environment: Self.environment)
        self.daemon = daemon
        let answers = try waitUntil(timeout: .seconds(60)) {
            guard daemon.isRunning else { return true }
            return try namespace.run(
                overlay.command("firewall-cmd --state"), environment: Self.environment
            ).succeeded
        }
        guard answers, daemon.isRunning else {
            throw BenchmarkError("firewalld did not start: \(daemon.standardError)")
        }
    }

    private static let environment = ["DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/bus"]

    private func writeZone() throws {
        func ports(_ list: [String], _ protocolName: String) -> String {
            list.map {
                "  <port port=\"\($0.replacing(":", with: "-"))\" protocol=\"\(protocolName)\"/>\n"
            }.joined()
        }
        let mesh = Inbound.mesh.map { address in
            """
              <rule family="ipv4"><source address="\(address)"/><protocol value="esp"/><accept/></rule>
              <rule family="ipv4"><source address="\(address)"/><port port="500" protocol="udp"/><accept/></rule>

            """
        }.joined()
        try overlay.write(
            """
            <?xml version="1.0" encoding="utf-8"?>
            <zone target="DROP">
              <icmp-block-inversion/><icmp-block name="echo-request"/>
            \(ports(Inbound.tcp(variant: variant), "tcp"))\(ports(Inbound.udp, "udp"))\(mesh)</zone>

            """, to: "/etc/firewalld/zones/public.xml")
    }

    func reload() throws -> Double {
        variant += 1
        try writeZone()
        guard let namespace else { throw BenchmarkError("\(name) is not started") }
        return try nanoseconds {
            try overlay.run(
                "firewall-cmd --reload", in: namespace, environment: Self.environment)
        }
    }

    /// The daemon's resident memory in bytes.
    var residentMemory: Double {
        get throws {
            guard let daemon else { throw BenchmarkError("\(name) is not started") }
            return try Memory.resident(daemon.pid)
        }
    }
}

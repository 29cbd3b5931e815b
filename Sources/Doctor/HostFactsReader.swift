internal import Enforcement
internal import LinuxSystem
internal import Netlink
internal import PortModel
internal import Ruleset
internal import SystemPackage

extension HostFacts {
    /// Looks at this host, as far as is possible without the agent. Needs no privileges, except to
    /// list rules.
    ///
    /// - Parameter site: the host's task, which says where a look is worth while.
    package init(for site: EnforcedSite) {
        self.init()
        localPorts = Parameter("net/ipv4/ip_local_port_range").value { text in
            let ends = text.split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
            return ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil
        }
        reservedPorts = Parameter("net/ipv4/ip_local_reserved_ports").value(PortSet.init(reserved:))
        tracking = ConnectionTracking.read()
        helpers = .read()
        reversePathOfAll = Parameter("net/ipv4/conf/all/rp_filter").reversePath
        for family in AddressFamily.allCases {
            forwards[family] = Parameter(family.parameter).isOn
        }
        if Parameter(AddressFamily.ipv4.bridgeParameter).exists {
            filtersBridges = AddressFamily.allCases.reduce(into: [:]) { settings, family in
                settings[family] = Parameter(family.bridgeParameter).isOn == .known(true)
            }
        }
        interfaces = Interface.all()
        routes = Self.routes(to: Set(site.destinations.flatMap(\.addresses)))
        do throws(KernelError) {
            // Ours carry our stamp.
            let others = try ForeignRuleset.tables(compiled: [])
            shadows = .known(others.shadows)
            translations = .known(others.translations)
        } catch {
            shadows = .unknown("other firewalls: \(error.words)")
            translations = .unknown("tables that translate sources: \(error.words)")
        }
    }

    private static func routes(to addresses: Set<IPAddress>) -> Fact<[IPAddress: String]> {
        var routes: [IPAddress: String] = [:]
        let lookup: RouteLookup
        do throws(KernelError) {
            lookup = try RouteLookup()
        } catch {
            return .unknown("routes can't be asked for: \(error)")
        }
        for address in addresses {
            do throws(KernelError) {
                routes[address] = try lookup.interface(to: address)
            } catch {
                return .unknown("the route to \(address) can't be asked for: \(error)")
            }
        }
        return .known(routes)
    }
}

/// A file below `/proc/sys`, or another of a line.
private struct Parameter {
    let path: String

    init(_ path: String) { self.path = "/proc/sys/\(path)" }
    init(file path: String) { self.path = path }

    var exists: Bool {
        do throws(SystemError) {
            _ = try AtomicFile.read(path, limit: 65536)
            return true
        } catch {
            return error.errno != .noSuchFileOrDirectory
        }
    }

    func value<Value>(_ parse: (Substring) -> Value?) -> Fact<Value> {
        do throws(SystemError) {
            let text = String(
                decoding: try AtomicFile.read(path, limit: 65536), as: UTF8.self)
            let line = text.prefix { !$0.isNewline }
            return parse(line).map(Fact.known)
                ?? .unknown("\(path) holds something unknown: \(line)")
        } catch {
            return .unknown("\(error)")
        }
    }

    var number: Fact<Int> { value { Int($0) } }
    var isOn: Fact<Bool> { value { Int($0).map { $0 != 0 } } }
    var reversePath: Fact<ReversePath> { value { Int($0).flatMap(ReversePath.init) } }
}

extension PortSet {
    /// As the kernel prints them: `22,33000-49999`, or nothing.
    init?(reserved text: Substring) {
        var ranges: [ClosedRange<UInt16>] = []
        for part in text.utf8.split(separator: UInt8(ascii: ",")) {
            let ends = part.split(separator: UInt8(ascii: "-")).map { UInt16(Substring($0)) }
            guard (1...2).contains(ends.count), let low = ends[0],
                let high = ends[ends.count - 1], low <= high
            else { return nil }
            ranges.append(low...high)
        }
        self.init(ranges)
    }
}

extension ConnectionTracking {
    fileprivate static func read() -> Fact<ConnectionTracking> {
        let directory = "net/netfilter/nf_conntrack"
        guard Parameter("\(directory)_max").exists else {
            return .unknown(
                "connection tracking is not loaded: it is with the first rules; look again then")
        }
        switch (
            Parameter("\(directory)_count").number, Parameter("\(directory)_max").number,
            Parameter("\(directory)_buckets").number
        ) {
        case (.known(let entries), .known(let limit), .known(let buckets)):
            return .known(ConnectionTracking(entries: entries, limit: limit, buckets: buckets))
        case (.unknown(let reason), _, _), (_, .unknown(let reason), _),
            (_, _, .unknown(let reason)):
            return .unknown(reason)
        }
    }
}

extension TrackingHelpers {
    fileprivate static func read() -> TrackingHelpers {
        var helpers = TrackingHelpers()
        let automatic = Parameter("net/netfilter/nf_conntrack_helper")
        if automatic.exists { helpers.isAutomatic = automatic.isOn == .known(true) }
        // Also where they are built in: they have parameters.
        helpers.available = Set(
            Examination.helperModules.filter { Parameter(file: "/sys/module/\($0)").exists })
        do throws(KernelError) {
            helpers.assignments = .known(
                try HelperAssignment.all().map {
                    let place = [$0.family, $0.table, $0.chain].map(Mend.word)
                    return Assignment(
                        helpers: $0.helpers,
                        rule: "\(place.joined(separator: " ")) handle \($0.handle)")
                })
        } catch {
            helpers.assignments = .unknown("rules that assign a helper: \(error.words)")
        }
        return helpers
    }
}

extension Interface {
    /// By name; without the loopback interface.
    fileprivate static func all() -> Fact<[String: Interface]> {
        let addresses: [String: Set<IPAddress>]
        do throws(Errno) {
            addresses = try HostAddresses.byInterface()
        } catch {
            return .unknown("this host's interfaces can't be read: \(error)")
        }
        var interfaces: [String: Interface] = [:]
        for (name, addresses) in addresses where name != "lo" {
            var interface = Interface(
                addresses: addresses,
                reversePath: Parameter("net/ipv4/conf/\(name)/rp_filter").reversePath)
            let bridge = "/sys/class/net/\(name)/bridge"
            if Parameter(file: bridge).exists { interface.filtersAsBridge = [:] }
            for family in AddressFamily.allCases {
                interface.forwards[family] =
                    Parameter("net/\(family.rawValue)/conf/\(name)/forwarding").isOn
                // Missing without br_netfilter.
                let filters = Parameter(file: "\(bridge)/\(family.bridgeAttribute)")
                interface.filtersAsBridge?[family] = filters.isOn == .known(true)
            }
            interfaces[name] = interface
        }
        return .known(interfaces)
    }
}

extension KernelError {
    fileprivate var words: String {
        code == .notPermitted ? "only root may list rules" : "\(self)"
    }
}

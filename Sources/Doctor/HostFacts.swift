package import PortModel
package import Ruleset

/// This host, as far as it matters to the checks: read once, by ``init(for:)``, or made up by a
/// test.
package struct HostFacts: Hashable, Sendable {
    /// `net.ipv4.ip_local_port_range`, which IPv6 uses as well.
    package var localPorts: Fact<ClosedRange<UInt16>> = .notRead
    /// `net.ipv4.ip_local_reserved_ports`: never chosen by the kernel.
    package var reservedPorts: Fact<PortSet> = .notRead
    /// How full the table of connections is.
    package var tracking: Fact<ConnectionTracking> = .notRead
    /// Helpers of connection tracking, which rewrite signaling.
    package var helpers = TrackingHelpers()
    /// By name, without the loopback interface.
    package var interfaces: Fact<[String: Interface]> = .notRead
    /// `net.ipv4.conf.all.rp_filter`
    package var reversePathOfAll: Fact<ReversePath> = .notRead
    /// `net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`
    package var forwards: [AddressFamily: Fact<Bool>] = [:]
    /// `net.bridge.bridge-nf-call-iptables` and `…-ip6tables`: whether bridged packets meet rules;
    /// nil where `br_netfilter` is not loaded.
    package var filtersBridges: [AddressFamily: Bool]?
    /// The interface towards each address that was asked for; an address without a route is missing.
    package var routes: Fact<[IPAddress: String]> = .notRead
    /// The effects of other programs' tables at hooks, whatever they concern.
    package var shadows: Fact<[Shadow]> = .notRead
    /// Where they translate sources, whatever that concerns.
    package var translations: Fact<[SourceTranslation]> = .notRead
    /// The reason for which the kernel does not take the rules; nil where it takes them. Only the
    /// agent can try.
    package var refusal: Fact<String?> = .notRead

    /// A host at which nobody looked.
    package init() {}
}

/// Something that may be hidden.
package enum Fact<Value: Hashable & Sendable>: Hashable, Sendable {
    case known(Value)
    /// Why it can't be known, and what would help.
    case unknown(String)

    static var notRead: Self { .unknown("nobody looked") }
}

/// How full connection tracking is.
package struct ConnectionTracking: Hashable, Sendable {
    /// Of this network namespace.
    package var entries: Int
    /// Of the whole host: `nf_conntrack_max`.
    package var limit: Int
    /// Of the hash table: `nf_conntrack_buckets`.
    package var buckets: Int

    package init(entries: Int, limit: Int, buckets: Int) {
        self.entries = entries
        self.limit = limit
        self.buckets = buckets
    }
}

/// The parts of connection tracking that take part in a protocol's signaling.
package struct TrackingHelpers: Hashable, Sendable {
    /// `nf_conntrack_helper`: helpers take part in every flow to their ports. nil since Linux 6.0,
    /// which has no such thing.
    package var isAutomatic: Bool?
    /// Those of SIP and H.323 that the kernel has ready, as modules or built in.
    package var available: Set<String> = []
    /// Rules of whatever table that let one of them take part.
    package var assignments: Fact<[Assignment]> = .notRead

    /// A rule that lets helpers take part in the flows that it matches.
    package struct Assignment: Hashable, Sendable {
        /// By name, those of protocols other than SIP and H.323 included.
        package var helpers: [String]
        /// The rule, as `inet t c handle 3`.
        package var rule: String

        package init(helpers: [String], rule: String) {
            self.helpers = helpers
            self.rule = rule
        }
    }
}

/// `rp_filter`
package enum ReversePath: Int, Hashable, Sendable {
    case off = 0
    /// A packet is dropped unless the route back to its source leads out of the interface that it
    /// came in by.
    case strict = 1
    /// A packet is dropped unless there is a route back to its source.
    case loose = 2
}

/// A network interface.
package struct Interface: Hashable, Sendable {
    /// Of both families, link-local ones included.
    package var addresses: Set<IPAddress>
    /// Its own setting; the kernel takes the greater of this and that of all.
    package var reversePath: Fact<ReversePath>
    /// Whether what comes in by it is forwarded.
    package var forwards: [AddressFamily: Fact<Bool>]
    /// nil for an interface that is no bridge; else whether packets bridged by it meet rules,
    /// whatever holds for all bridges.
    package var filtersAsBridge: [AddressFamily: Bool]?

    package init(
        addresses: Set<IPAddress> = [], reversePath: Fact<ReversePath> = .known(.off),
        forwards: [AddressFamily: Fact<Bool>] = [:],
        filtersAsBridge: [AddressFamily: Bool]? = nil
    ) {
        self.addresses = addresses
        self.reversePath = reversePath
        self.forwards = forwards
        self.filtersAsBridge = filtersAsBridge
    }
}

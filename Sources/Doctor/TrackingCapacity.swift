internal import Deployment
internal import PortModel

extension Examination {
    /// Entries for each bucket of the hash table beyond which looking one up takes long.
    private static let entriesOfBucket = 8
    /// Parts of a hundred beyond which the table may be full soon.
    private static let fullness = 80

    /// Whether connection tracking can hold the flows that the rows permit.
    ///
    /// In local placement media and ESP are not tracked, on a gateway they are.
    static func connectionTracking(_ facts: HostFacts, _ site: Site) -> [Finding] {
        let tracking: ConnectionTracking
        switch facts.tracking {
        case .known(let known): tracking = known
        case .unknown(let reason): return [Finding(.unknown, .connectionTracking, reason)]
        }
        let media = site.isGateway ? mediaPorts(site) : 0
        let wanted = roundedUp(max(media + media / 4, 2 * tracking.entries))
        var findings: [Finding] = []
        if tracking.entries * 100 >= tracking.limit * fullness {
            findings.append(
                Finding(
                    .problem, .connectionTracking,
                    "connection tracking holds \(tracking.entries) of at most \(tracking.limit) entries",
                    why:
                        "Where it is full, packets of new flows are dropped: calls, and administrators' connections.",
                    mend: enlarge(to: max(wanted, roundedUp(2 * tracking.limit))),
                    rows: site.rows { _ in true }))
        } else if media > tracking.limit {
            findings.append(
                Finding(
                    .hint, .connectionTracking,
                    "connection tracking holds at most \(tracking.limit) entries; the nodes have \(media) media ports",
                    why:
                        "A gateway tracks each media stream, some 12 for a call. Where the table is full, packets of new flows are dropped. An entry takes some 400 bytes of memory.",
                    mend: enlarge(to: wanted), rows: site.rows(\.isMedia)))
        }
        if tracking.limit > entriesOfBucket * tracking.buckets {
            findings.append(
                Finding(
                    .hint, .connectionTracking,
                    "connection tracking's hash table has \(tracking.buckets) buckets for at most \(tracking.limit) entries",
                    why:
                        "Looking up a packet's flow takes the longer the more entries share a bucket, which delays all packets under load.",
                    mend: .setting(
                        [("net/netfilter/nf_conntrack_buckets", "\(tracking.limit)")],
                        of: "nf_conntrack"),
                    rows: site.rows { site.isGateway || !$0.isMedia }))
        }
        if findings.isEmpty {
            findings.append(
                Finding(
                    .ok, .connectionTracking,
                    "connection tracking holds \(tracking.entries) of at most \(tracking.limit) entries, enough for what it has to track"
                ))
        }
        return findings
    }

    /// UDP ports that may carry media of enforced nodes.
    private static func mediaPorts(_ site: Site) -> Int {
        site.nodes.filter { $0.role == .conferencing }.reduce(0) {
            $0 + $1.ports[.media].count * Set($1.addresses(of: .signalingAndMedia)).count
        }
    }

    /// To the next power of two, as the kernel's own defaults are.
    private static func roundedUp(_ entries: Int) -> Int {
        var rounded = 65_536
        while rounded < entries { rounded *= 2 }
        return rounded
    }

    private static func enlarge(to limit: Int) -> Mend {
        .setting(
            [
                ("net/netfilter/nf_conntrack_buckets", "\(limit)"),
                ("net/netfilter/nf_conntrack_max", "\(limit)"),
            ], of: "nf_conntrack")
    }
}

extension Row {
    fileprivate var isMedia: Bool {
        protocols.contains(.udp) && (source.uses(.media) || destination.uses(.media))
    }
}

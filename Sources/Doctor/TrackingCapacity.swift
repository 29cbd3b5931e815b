internal import Enforcement
internal import PortModel
internal import Reports
internal import Ruleset
internal import Site

extension Examination {
    /// Entries for each bucket of the hash table beyond which looking one up takes long.
    private static let entriesOfBucket = 8
    /// Parts of a hundred beyond which the table may be full soon.
    private static let fullness = 80

    /// Whether connection tracking can hold the flows that the rows permit, and knows all that it
    /// must.
    ///
    /// In local placement ESP is not tracked, and media only where that is wanted; on a gateway they
    /// are.
    static func connectionTracking(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        var findings = untrackedAnswers(facts, site)
        let tracking: ConnectionTracking
        switch facts.tracking {
        case .known(let known): tracking = known
        case .unknown(let reason):
            return findings + [Finding(.unknown, .connectionTracking, reason)]
        }
        let media = site.tracksMedia ? mediaPorts(site) : 0
        let wanted = roundedUp(max(media + media / 4, 2 * tracking.entries))
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
                        "Each media stream is tracked, some 12 for a call. Where the table is full, packets of new flows are dropped. An entry takes some 400 bytes of memory.",
                    mend: enlarge(to: wanted),
                    rows: site.rows { $0.protocols.contains(.udp) && $0.uses(.media) }))
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
                    rows: site.rows { site.tracksMedia || !$0.carriesMedia }))
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

    /// Whether answers to what this host translates for others may come, and are lost.
    private static func untrackedAnswers(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        guard !site.placement.tracksMedia, site.deployment.host.trackMedia == .auto else {
            return []
        }
        switch facts.translations {
        case .unknown(let reason): return [Finding(.unknown, .connectionTracking, reason)]
        case .known(let all):
            let translations = all.concerning(Set(site.families))
            if translations.isEmpty { return [] }
            return [
                Finding(
                    .hint, .connectionTracking, translations.finding,
                    why: "\([SourceTranslation].loss).",
                    mend: Mend(
                        "echo 'host: {track_media: true}' >/etc/pexip-fw.d/90-track-media.yaml"),
                    rows: site.rows(\.carriesMedia))
            ]
        }
    }

    /// UDP ports that may carry media of enforced nodes.
    private static func mediaPorts(_ site: EnforcedSite) -> Int {
        site.nodes.filter { site.deployment.profile.carriesCalls($0.role) }.reduce(0) {
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

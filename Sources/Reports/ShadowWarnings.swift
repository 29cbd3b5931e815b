internal import Site
internal import PortModel
package import Ruleset

extension Shadow {
    /// One sentence for an administrator: place, effects, consequence, remedy.
    package var warning: String { "\(place) \(danger): \(remedy)" }

    /// Such as `table inet firewalld, chain filter_INPUT (hook input, priority 10, firewalld)`.
    package var place: String {
        let table = "table \(family.rawValue) \(ObjectName.words(table))"
        guard let chain, let hook, let priority else {
            return "\(owner?.rawValue ?? "somebody else")'s \(table)"
        }
        let owner = owner.map { ", \($0.rawValue)" } ?? ""
        return
            "\(table), chain \(ObjectName.words(chain)) (hook \(hook.rawValue), priority \(priority)\(owner))"
    }

    /// Its effects in words, and their consequence for the nodes' packets.
    package var danger: String {
        let effects = why.map { reason in
            switch reason {
            case .policyDrop: "drops by its policy"
            case .drop: "has rules that drop"
            case .reject: "has rules that reject"
            case .queue: "has rules that leave it to a program"
            case .notrack: "has rules that exempt from connection tracking"
            case .zone: "has rules that track in another zone"
            case .timeout: "has rules that let flows be forgotten at another time"
            case .helper: "has rules that let helpers of connection tracking take part"
            case .rewrite: "has rules that rewrite packets"
            case .offload: "has rules that take flows past the forward hook"
            case .divert: "has rules that divert packets"
            case .unknown:
                chain == nil
                    ? "may hold rules, which can't be read from here"
                    : "has rules of a kind that this version does not know"
            }
        }
        let past = why.contains { [.offload, .divert, .helper].contains($0) }
        let consequence =
            switch (cuts, past) {
            case (true, true): "it may cut what pexip-fw permits, and lead past what it refuses"
            case (false, true): "packets may pass that pexip-fw refuses"
            default: "it may cut what pexip-fw permits"
            }
        return "\(effects.joined(separator: ", ")); \(consequence)"
    }

    /// Whether it may keep from passing what is permitted.
    package var cuts: Bool { why.contains { $0 != .offload } }

    /// The way to mend it, with the commands for it.
    package var remedy: String {
        switch owner {
        case .firewalld:
            "put the nodes' interfaces into firewalld's zone trusted (firewall-cmd --permanent --zone=trusted --change-interface=NAME, then firewall-cmd --reload)"
        case .docker:
            "let Docker's chain accept the nodes' addresses (iptables -I DOCKER-USER -s ADDRESS -j ACCEPT, and the same with -d)"
        case .libvirt:
            "of no account unless the nodes are guests of a libvirt network: then set its forward mode to open"
        case .ufw:
            "let ufw accept the nodes' addresses (ufw allow to ADDRESS; for forwarded packets ufw route allow), or leave filtering to pexip-fw (ufw disable)"
        case .kubernetes:
            "of no account unless the nodes run in the cluster: then look at its network policies"
        case .fail2ban:
            "it cuts only whom fail2ban has banned; name the nodes and their peers in its ignoreip"
        case .iptables:
            "\(listing) shows its rules; let them \(exception)"
        case .iptablesLegacy:
            "\(listing) shows its rules; let them \(exception), or, where they are not needed, unload them (modprobe -r \(module))"
        case nil:
            "\(listing) shows its rules; let them \(exception)"
        }
    }

    /// The change that the rules need for the nodes' packets.
    private var exception: String {
        let refusals: [Reason] = [.policyDrop, .drop, .reject, .queue, .unknown]
        return why.contains(where: refusals.contains)
            ? "accept the nodes' addresses" : "leave the nodes' addresses out"
    }

    /// A command that shows the rules.
    private var listing: String {
        // nft's language has no word for such a table.
        guard ObjectName.isPlain(table) else { return "nft list ruleset \(family.rawValue)" }
        return switch owner {
        case .iptables, .iptablesLegacy: "\(tool) -t \(table) -S"
        default: "nft list table \(family.rawValue) \(table)"
        }
    }

    private var tool: String {
        let name =
            switch family {
            case .ip6: "ip6tables"
            case .arp: "arptables"
            default: "iptables"
            }
        return owner == .iptablesLegacy ? "\(name)-legacy" : name
    }

    /// The kernel module that holds a table of iptables-legacy.
    private var module: String {
        switch family {
        case .ip6: "ip6table_\(table)"
        case .arp: "arptable_\(table)"
        default: "iptable_\(table)"
        }
    }
}

extension [Shadow] {
    /// The first eight in words; where there are more, a ninth line says how many.
    package var warnings: [String] {
        map(\.warning).shownWarnings {
            "\($0.counted("more chain")) of other tables may do so: see --json"
        }
    }

    /// Those that packets which the generation judges come by.
    package func concerning(_ generation: Generation?) -> [Shadow] {
        guard let generation else { return [] }
        let families = generation.families
        let placement = generation.ruleset.placement
        return filter { $0.concerns(placement, families: families) }
    }
}

extension [Lookalike] {
    /// The first eight in words; where there are more, a ninth line says how many.
    package var warnings: [String] {
        let families = Set(map(\.id.family))
        // nft lists those of one family, or of all.
        let family = families.count == 1 ? families.map { " \($0.rawValue)" }.joined() : ""
        return map(\.warning).shownWarnings {
            "\($0.counted("more table")) of such names: see nft list tables\(family)"
        }
    }
}

extension [String] {
    /// As many warnings as leave the rest of the status on one screen.
    private static var shown: Int { 8 }

    /// - Parameter rest: says how many more there are.
    fileprivate func shownWarnings(_ rest: (Int) -> String) -> [String] {
        count <= Self.shown ? self : prefix(Self.shown) + [rest(count - Self.shown)]
    }
}

extension Lookalike {
    /// With the command that takes the table away, for an administrator.
    package var warning: String {
        let family = id.family.rawValue
        return
            "table \(family) \(ObjectName.words(id.name)) is called as ours are and is not ours, so that it stays: nft delete table \(family) handle \(handle) takes it away"
    }
}

extension [SourceTranslation] {
    /// The packets that such translations lose where media is not tracked.
    package static let loss =
        "UDP that answers such packets is lost where it comes to a port of media, or to one that no row opens, since that is judged before connection tracking knows whose it is"

    /// With the key that mends it, for an administrator; nil where there is none.
    package var warning: String? {
        isEmpty
            ? nil
            : "\(finding); \(Self.loss): host: {track_media: true} tracks it; false says that nothing of others is translated here"
    }
}

internal import Site
internal import Enforcement
internal import PortModel
internal import Reports
internal import Ruleset

extension Examination {
    /// Whether the kernel has all that the rules need.
    static func kernel(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        switch facts.refusal {
        case .unknown(let reason): return [Finding(.unknown, .kernel, reason)]
        case .known(nil): return [Finding(.ok, .kernel, "the kernel takes the rules")]
        case .known(let refusal?):
            return [
                Finding(
                    .problem, .kernel, "the kernel does not take the rules: \(refusal)",
                    why:
                        "The configuration can't come into force. The usual reasons are a kernel without nf_tables, and one whose modules an upgrade replaced.",
                    mend: Mend(
                        "modprobe --all nf_tables nft_ct",
                        permanently: "restart the host, where its kernel was upgraded"),
                    rows: site.rows { _ in true })
            ]
        }
    }

    /// Whether other tables drop what the rows permit, or lead past the rules.
    static func otherFirewalls(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        let all: [Shadow]
        switch facts.shadows {
        case .known(let known): all = known
        case .unknown(let reason): return [Finding(.unknown, .otherFirewalls, reason)]
        }
        let shadows = all.filter {
            $0.concerns(site.deployment.placement, families: Set(site.families))
        }
        guard !shadows.isEmpty else {
            return [
                Finding(.ok, .otherFirewalls, "no other table cuts what the rows permit")
            ]
        }
        return shadows.map { shadow in
            Finding(
                // Such a chain drops all that it does not expect; of rules it is not known whom
                // they hit.
                shadow.why.contains(.policyDrop) ? .problem : .hint, .otherFirewalls,
                "\(shadow.place) \(shadow.danger)",
                why:
                    "A packet passes where every table at its hooks lets it pass. Where another one drops it, takes it elsewhere or keeps it from being tracked, it does not pass though a row permits it, and no counter of pexip-fw shows it.",
                mend: Mend(shadow.remedy),
                rows: site.rows { shadow.concerns($0.direction) })
        }
    }
}

extension Shadow {
    /// Whether packets of a node's own traffic in this direction come by.
    fileprivate func concerns(_ direction: Direction) -> Bool {
        switch hook {
        case .input, .prerouting, .ingress: direction == .inbound
        case .output, .postrouting, .egress: direction == .outbound
        case .forward, nil: true
        }
    }
}

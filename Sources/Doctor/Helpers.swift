internal import PortModel

extension Examination {
    /// The kernel's modules for SIP and H.323.
    static let helperModules = ["nf_conntrack_h323", "nf_conntrack_sip"]
    private static let why =
        "A helper rewrites and drops signaling that it does not understand, so calls fail or have no sound, and it opens flows that no row permits. The product does without."

    /// Whether helpers of connection tracking take part in SIP or H.323.
    static func trackingHelpers(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        let rows = site.rows(\.isSignaling)
        guard !rows.isEmpty else { return [] }
        var findings: [Finding] = []
        let available = facts.helpers.available.sorted()
        if facts.helpers.isAutomatic == true, !available.isEmpty {
            findings.append(
                Finding(
                    .problem, .trackingHelpers,
                    "helpers of connection tracking take part in all SIP and H.323 flows (\(available.joined(separator: ", ")))",
                    why: why,
                    mend: .setting(
                        [("net/netfilter/nf_conntrack_helper", "0")], of: "nf_conntrack"),
                    rows: rows))
        }
        switch facts.helpers.assignments {
        case .unknown(let reason):
            findings.append(Finding(.unknown, .trackingHelpers, reason))
        case .known(let assignments):
            for assignment in assignments {
                let names = assignment.helpers.filter(isOfCalls)
                guard !names.isEmpty else { continue }
                findings.append(
                    Finding(
                        .problem, .trackingHelpers,
                        "a rule lets the helper \(names.joined(separator: ", ")) of connection tracking take part: \(assignment.rule)",
                        why: why,
                        mend: Mend(
                            "nft delete rule \(assignment.rule)",
                            permanently:
                                "remove it from the configuration of whatever made it; for firewalld: firewall-cmd --permanent --remove-service=sip --remove-service=h323"
                        ),
                        rows: rows))
            }
        }
        if findings.isEmpty {
            findings.append(
                Finding(
                    .ok, .trackingHelpers,
                    "no helper of connection tracking takes part in SIP or H.323"))
        }
        return findings
    }

    /// By the names that the modules register: those for further ports have a number behind them.
    private static func isOfCalls(_ helper: String) -> Bool {
        ["RAS", "Q.931", "H.245"].contains(helper) || helper == "sip" || helper.hasPrefix("sip-")
    }
}

extension Row {
    /// Whether a helper could take part: the ports of H.225, RAS and SIP.
    fileprivate var isSignaling: Bool {
        guard case .ports(let ports, _) = destination else { return false }
        return ports.contains { [1719, 1720, 5060, 5061].contains($0) }
    }
}

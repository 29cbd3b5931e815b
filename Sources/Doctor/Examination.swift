/// Everything that is looked at. A check is a function of values: what the host is like, and what it
/// is to do.
package enum Examination {
    /// In the order of ``Finding/Check``.
    package static func findings(_ facts: HostFacts, _ site: EnforcedSite) -> [Finding] {
        [
            outboundPorts, connectionTracking, trackingHelpers, reversePath, forwarding, routes,
            kernel, otherFirewalls,
        ].flatMap { $0(facts, site) }
    }
}

internal import PortModel
internal import Site

extension DeploymentDecoder {
    mutating func guards(_ node: YAMLNode) -> Guard {
        var guards = Guard()
        guard let entries = fields(of: node, "guard", as: GuardKey.self) else { return guards }
        if let confirm = entries[.confirm] { guards.confirm = self.confirm(confirm.value) }
        if let probes = entries[.probes],
            let elements = list(
                probes.value, "guard.probes", of: "probes such as tcp://10.0.0.1:443")
        {
            guards.probes = elements.compactMap { probe($0) }
        }
        if let revoke = entries[.revokeEstablished],
            let value = boolean(revoke.value, "guard.revoke_established")
        {
            guards.revokeEstablished = value
        }
        return guards
    }

    /// The time to confirm in; nil for none.
    private mutating func confirm(_ node: YAMLNode) -> Duration? {
        let expectation =
            "guard.confirm must be a time such as 60s, 5m or 1h, or off"
        guard let text = text(node, expectation) else { return nil }
        if Guard.unguarded.contains(text) { return nil }
        guard let seconds = Guard.seconds(text) else {
            refuse(node, expectation)
            return nil
        }
        guard Guard.confirmSeconds.contains(seconds) else {
            findings.error(
                node.location,
                "guard.confirm must be from 10s to 24h, or off, not \(quoted(text))")
            return nil
        }
        return .seconds(seconds)
    }

    private mutating func probe(_ node: YAMLNode) -> Probe? {
        let expectation =
            "a probe must be tcp://ADDRESS:PORT, as in tcp://10.0.0.1:443 or tcp://[2001:db8::1]:443"
        guard let text = text(node, expectation) else { return nil }
        let scheme = "tcp://"
        guard text.hasPrefix(scheme),
            let colon = text.utf8.lastIndex(of: UInt8(ascii: ":"))
        else {
            refuse(node, expectation)
            return nil
        }
        let start = text.utf8.index(text.startIndex, offsetBy: scheme.utf8.count)
        let digits = String(text[text.utf8.index(after: colon)...])
        guard start <= colon, let port = UInt16(digits), port > 0,
            digits.utf8.allSatisfy({ (48...57).contains($0) })
        else {
            refuse(node, expectation)
            return nil
        }
        let host = text[start..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.utf8.count > 2
        let numeric = isBracketed ? host.dropFirst().dropLast() : host
        guard let address = IPAddress(numeric) else {
            findings.error(
                node.location,
                "the probe \(quoted(text)) needs a numeric address, because names are not looked up: write tcp://ADDRESS:PORT"
            )
            return nil
        }
        guard isBracketed == (address.family == .ipv6) else {
            findings.error(
                node.location,
                "the probe \(quoted(text)) needs brackets around an IPv6 address and none around IPv4"
            )
            return nil
        }
        if let mapped = address.mapped {
            findings.error(
                node.location,
                "the probe \(quoted(text)) has an IPv4-mapped address: write \(Probe(address: mapped, port: port))"
            )
            return nil
        }
        return Probe(address: address, port: port)
    }
}

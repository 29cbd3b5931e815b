internal import PortModel
internal import Site

extension DeploymentDecoder {
    /// A single port.
    mutating func port(_ node: YAMLNode, _ what: String) -> UInt16? {
        guard case .scalar(let text, let isPlain) = node.content else {
            refuse(node, "\(what) must be one port")
            return nil
        }
        guard let number = number(node, what, text) else { return nil }
        guard isPlain else {
            reportQuotes(node, what, text)
            return nil
        }
        return number
    }

    /// `LOW-HIGH`.
    mutating func portRange(_ node: YAMLNode, _ what: String) -> ClosedRange<UInt16>? {
        let expectation = "\(what) must be a range of ports LOW-HIGH"
        guard let text = text(node, expectation) else { return nil }
        guard let dash = text.utf8.firstIndex(of: UInt8(ascii: "-")) else {
            refuse(node, expectation)
            return nil
        }
        guard let low = number(node, what, String(text[..<dash])),
            let high = number(node, what, String(text[text.index(after: dash)...]))
        else { return nil }
        guard low <= high else {
            findings.error(
                node.location, "\(what) \(text) is reversed: write \(high)-\(low)")
            return nil
        }
        return low...high
    }

    /// A port, `LOW-HIGH`, or a list of them.
    mutating func portSet(_ node: YAMLNode, _ what: String) -> PortSet? {
        let nodes = listOrSingle(node)
        guard !nodes.isEmpty else {
            findings.error(
                node.location, "\(what) is empty: name ports, or leave it out for all of them")
            return nil
        }
        var ranges: [ClosedRange<UInt16>] = []
        for element in nodes {
            if case .scalar(let text, _) = element.content, text.utf8.contains(UInt8(ascii: "-")) {
                if let range = portRange(element, what) { ranges.append(range) }
            } else if let port = port(element, what) {
                ranges.append(port...port)
            }
        }
        return ranges.count == nodes.count ? PortSet(ranges) : nil
    }

    /// A port or a list of them, in the order in which they stand there.
    mutating func ports(_ node: YAMLNode, _ what: String) -> [UInt16]? {
        let nodes = listOrSingle(node)
        guard !nodes.isEmpty else {
            findings.error(node.location, "\(what) is empty: name at least one port")
            return nil
        }
        guard nodes.count <= ConfigurationLimits.portsOfRow else {
            findings.error(
                node.location,
                "\(what) names \(nodes.count) ports; \(ConfigurationLimits.portsOfRow) are the most: write a rule of your own with a range"
            )
            return nil
        }
        var ports: [UInt16] = []
        var seen: Set<UInt16> = []
        var isUsable = true
        for element in nodes {
            guard let port = port(element, what) else {
                isUsable = false
                continue
            }
            if seen.insert(port).inserted {
                ports.append(port)
            } else {
                findings.error(
                    element.location, "\(what) names port \(port) twice: write it once")
                isUsable = false
            }
        }
        return isUsable ? ports : nil
    }

    private mutating func number(_ node: YAMLNode, _ what: String, _ text: String) -> UInt16? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            findings.error(
                node.location, "\(what) must be a port from 1 to 65535, not \(quoted(text))")
            return nil
        }
        // 022 is 18 to YAML 1.1, and 22 to people.
        guard text == "0" || !text.hasPrefix("0") else {
            findings.error(
                node.location, "\(what) must be a port without leading zeros, not \(quoted(text))")
            return nil
        }
        guard let number = UInt16(text), number > 0 else {
            findings.error(
                node.location, "\(what) must be a port from 1 to 65535, not \(quoted(text))")
            return nil
        }
        return number
    }
}

internal import Site

extension DeploymentDecoder {
    mutating func refusals(_ node: YAMLNode) -> Refusals {
        var refusals = Refusals()
        guard let entries = fields(of: node, "refusals", as: RefusalKey.self) else {
            return refusals
        }
        if let sample = entries[.sample], let value = boolean(sample.value, "refusals.sample") {
            refusals.isSampled = value
        }
        if let group = entries[.group],
            let value = wholeNumber(group.value, "refusals.group", in: Refusals.groups)
        {
            refusals.group = UInt16(value)
        }
        if let rate = entries[.rate],
            let value = wholeNumber(rate.value, "refusals.rate", in: Refusals.rates)
        {
            refusals.rate = UInt32(value)
        }
        return refusals
    }

    private mutating func wholeNumber(
        _ node: YAMLNode, _ what: String, in range: ClosedRange<Int>
    ) -> Int? {
        let expectation =
            "\(what) must be a number from \(range.lowerBound) to \(range.upperBound)"
        guard let text = text(node, expectation) else { return nil }
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text),
            range.contains(number)
        else {
            refuse(node, expectation)
            return nil
        }
        guard case .scalar(_, isPlain: true) = node.content else {
            reportQuotes(node, what, text)
            return nil
        }
        return number
    }
}

import Testing

/// The mistakes that the parser finds and a schema can't, each with the reason. Whatever else the
/// parser refuses, the schema refuses.
enum UnseenBySchema: String, CaseIterable {
    /// Editors report these by themselves, or YAML's readers are done with them before a schema sees
    /// values.
    case notation
    /// YAML gives a schema the number or truth value, however it is written; the parser takes the
    /// usual spelling alone. So it is with addresses that no host has, of which the first group does
    /// not tell and which have many spellings.
    case spelling
    /// A schema does not look at other places: whether there is such a node or group.
    case reference
    /// Files merge: what is missing, or does not go together, may be otherwise by another file.
    case merging
    /// What must be unique is a part of its element, or spread over several mappings.
    case uniqueness
    /// A schema does not calculate: which end of a range is lower, what overlaps, which bits are set.
    case arithmetic
    /// Bounds on what all values come to together.
    case limits

    /// Whether a message of the parser's is about such a mistake.
    func covers(_ message: String) throws -> Bool {
        try patterns.contains { try message.contains(Regex($0)) }
    }

    private var patterns: [String] {
        switch self {
        case .notation:
            [
                #"^(anchors|aliases|tags) are not supported"#,
                #"^the key ".*" is already at line [0-9]+, column [0-9]+: write it once$"#,
            ]
        case .spelling:
            [
                #"must be (auto, )?true or false: write (true|false), not (True|TRUE|False|FALSE)$"#,
                #"^version must be 1, not "(01|1\.0|1e0|0x1)"$"#,
                #"must be a port without leading zeros, not "0[0-9]+"$"#,
                #"must be a (port|number) from 1 to [0-9]+, not "(\+[0-9]+|0x[0-9a-f]+|0o[0-7]+|[0-9]+\.0|[0-9]+e[0-9]+)"$"#,
                #"^guard\.confirm must be a time .*, or off, not "00"$"#,
                #"^the rule's name "(TRUE|True|[+.].*)" must begin"#,
                #"address cannot be ".*:.*", (the unspecified address|the loopback address|an IPv4-mapped address)"#,
                #" (is an|has|has an|has an end among) IPv4-mapped address"#,
            ]
        case .reference:
            [#"^unknown (node|group) ""#, #"^groups refer to each other in a circle"#]
        case .merging:
            [
                #"^no node is configured"#, #"has no (role|address): write"#,
                #" is for no node: name one"#,
                #"^enforce names several nodes, but with placement: local"#,
            ]
        case .uniqueness:
            [
                #"is an address of node .*: (write it once|two nodes cannot share one)$"#,
                #"would both have the table"#, #"^the rule ".*" is already at"#,
                #"is both the name of a node and a word for several"#,
            ]
        case .arithmetic:
            [
                #" is reversed: write "#, #"^the range .* overlaps .*: choose ranges"#,
                #"has bits set after its prefix length"#,
            ]
        case .limits:
            [
                #"are the most: join ports"#, #"^the rules come to more than"#,
                #"^the groups in use come to"#,
            ]
        }
    }
}

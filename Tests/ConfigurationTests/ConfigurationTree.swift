import DeploymentGenerator
import Testing

@testable import Configuration
@testable import Site

/// A file's content, to be changed and written again.
indirect enum ConfigurationTree: Hashable {
    case null
    /// As it stands in the file, without quotes.
    case plain(String)
    case quoted(String)
    case list([ConfigurationTree])
    case mapping([Entry])

    struct Entry: Hashable {
        var key: String
        var value: ConfigurationTree
    }

    init(_ text: String) throws {
        var findings = Findings()
        var budget = ConfigurationLimits.yamlNodes
        let source = ConfigurationSource(path: "a.yaml", text: text)
        let root = try #require(YAMLMapping(parsing: source, budget: &budget, findings: &findings))
        self.init(.mapping(root))
    }

    private init(_ content: YAMLNode.Content) {
        switch content {
        case .null, .unusable: self = .null
        case .scalar(let text, let isPlain): self = isPlain ? .plain(text) : .quoted(text)
        case .sequence(let nodes): self = .list(nodes.map { Self($0.content) })
        case .mapping(let mapping):
            self = .mapping(
                mapping.entries.map { Entry(key: $0.key, value: Self($0.value.content)) })
        }
    }

    /// In YAML's flow style, on one line.
    var text: String {
        switch self {
        case .null: "~"
        case .plain(let text): text
        case .quoted(let text): Self.quoted(text)
        case .list(let elements): "[\(elements.map(\.text).joined(separator: ", "))]"
        case .mapping(let entries):
            "{\(entries.map { "\(Self.quoted($0.key)): \($0.value.text)" }.joined(separator: ", "))}"
        }
    }

    private static func quoted(_ text: String) -> String {
        "\"\(text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined())\""
    }

    /// How many values there are, this one included.
    var count: Int {
        switch self {
        case .null, .plain, .quoted: 1
        case .list(let elements): elements.reduce(1) { $0 + $1.count }
        case .mapping(let entries): entries.reduce(1) { $0 + $1.value.count }
        }
    }

    /// The value at a position in the order of the text, this one being at 0.
    subscript(position: Int) -> ConfigurationTree {
        var result = self
        var copy = self
        var position = position
        copy.change(at: &position) { result = $0 }
        return result
    }

    mutating func change(at position: Int, _ body: (inout ConfigurationTree) -> Void) {
        var position = position
        change(at: &position, body)
    }

    private mutating func change(
        at position: inout Int, _ body: (inout ConfigurationTree) -> Void
    ) {
        if position == 0 { body(&self) }
        position -= 1
        switch self {
        case .null, .plain, .quoted: break
        case .list(var elements):
            for index in elements.indices where position >= 0 {
                elements[index].change(at: &position, body)
            }
            if position < 0 { self = .list(elements) }
        case .mapping(var entries):
            for index in entries.indices where position >= 0 {
                entries[index].value.change(at: &position, body)
            }
            if position < 0 { self = .mapping(entries) }
        }
    }
}

extension ConfigurationTree {
    /// Makes one change, such as people make by mistake.
    mutating func mutate(_ random: inout SeededGenerator) {
        let position = Int.random(in: 0..<count, using: &random)
        let other = self[Int.random(in: 0..<count, using: &random)]
        change(at: position) { value in
            switch value {
            case .mapping(var entries) where !entries.isEmpty && random.chance(80):
                let index = Int.random(in: 0..<entries.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: entries.remove(at: index)
                case 1: entries[index].key = random.pick(Self.keys)
                case 2: entries[index].key += random.pick(["s", "_", "-", ".", " "])
                default:
                    entries.append(
                        Entry(key: random.pick(Self.keys), value: random.pick([other, .null])))
                }
                value = .mapping(entries)
            case .list(var elements) where !elements.isEmpty && random.chance(70):
                let index = Int.random(in: 0..<elements.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: elements.remove(at: index)
                case 1: elements.append(elements[index])
                case 2: elements.append(.plain(random.pick(Self.scalars)))
                default: elements.append(other)
                }
                value = .list(elements)
            default:
                switch (Int.random(in: 0..<8, using: &random), value) {
                case (0, _): value = other
                case (1, _): value = .list([value])
                case (2, _): value = .mapping([Entry(key: random.pick(Self.keys), value: value)])
                case (3, .plain(let text)): value = .quoted(text)
                case (3, .quoted(let text)) where !text.hasPrefix("@") && !text.contains(":"):
                    value = .plain(text)
                case (4, _): value = .quoted(random.pick(Self.scalars))
                default: value = .plain(random.pick(Self.scalars))
                }
            }
        }
    }

    private static let keys =
        RootKey.allCases.map(\.rawValue) + NodeKey.allCases.map(\.rawValue)
        + RuleKey.allCases.map(\.rawValue) + GuardKey.allCases.map(\.rawValue)
        + PortKey.allCases.map(\.rawValue)
        + [
            "a", "conf-lon-1", "Node", "12", "true", "ssh", "dns_servers", "ping", "node s", "-x",
            "",
        ]

    /// None of them begins anything else in YAML.
    private static let scalars = [
        "true", "True", "TRUE", "false", "yes", "off", "on", "null", "~", "auto", "any", "all",
        "local", "gateway", "observe", "management", "conferencing", "inbound", "outbound", "tcp",
        "udp", "esp", "icmp", "tls", "infinity-14", "infinity-15", "0", "1", "00", "01", "1.0",
        "1e0", "0x1", "0o17", "+80", "80", "-1", "80.0", "0x50", "1_000", "65535", "65536", "1.5",
        "443-8057", "8057-443", "0-10", "080-090", "80-", "80-90-100", "60s", "5m", "1h", "9s",
        "0060s", "25h", "0000005m", "60", "10.0.0.1", "10.0.0.77", "010.0.0.1", "10.0.0.256",
        "127.0.0.1", "224.0.0.1", "10.0.0.0/8", "10.0.0.0/08", "10.0.0.1/8", "10.0.0.0/33",
        "10.0.0.5-10.0.0.9", "10.0.0.9-10.0.0.5", "2001:db8::1", "2001:db8::/32",
        "2001:db8::1-2001:db8::2", "2001:db8:::1", "fe80::1", "ff02::1", "ff::1",
        "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "1::8:9:a:b:c:d:e", "2001:db8::10.0.0.1", "abc",
        "conf-lon-1", "Office", "9100", "2026-01-01", ".5", "1e3", ".inf", ".nan", "0b1", "é",
    ]
}

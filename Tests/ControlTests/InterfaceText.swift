import Testing

/// A type in Varlink's description language.
indirect enum VarlinkType: Equatable {
    case bool
    case int
    case float
    case string
    case named(String)
    case words([String])
    case structure([VarlinkField])
    case array(VarlinkType)
    case map(VarlinkType)
    case optional(VarlinkType)
}

struct VarlinkField: Equatable {
    let name: String
    let type: VarlinkType
}

/// An interface's description, read by Varlink's grammar.
struct InterfaceText {
    struct Method {
        let name: String
        let parameters: [VarlinkField]
        let reply: [VarlinkField]
    }

    struct Declared {
        let type: VarlinkType
        /// The comment above, as one line.
        let comment: String
    }

    /// The comment above `interface`, as one line.
    private(set) var heading = ""
    private(set) var types: [String: Declared] = [:]
    private(set) var methods: [Method] = []

    init(_ text: String) throws {
        var comment: [Substring] = []
        var code: [Substring] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# ") {
                if !code.isEmpty { try declare(code, comment) }
                if !code.isEmpty { comment = [] }
                code = []
                comment.append(line.dropFirst(2))
            } else if ["type ", "method ", "error ", "interface "].contains(where: line.hasPrefix),
                !code.isEmpty
            {
                try declare(code, comment)
                (code, comment) = ([line], [])
            } else {
                code.append(line)
            }
        }
        try declare(code, comment)
    }

    private mutating func declare(_ code: [Substring], _ comment: [Substring]) throws {
        var reader = Reader(code.joined(separator: " "))
        let comment = comment.joined(separator: " ")
        switch try reader.word() {
        case "interface": heading = comment
        case "type":
            let name = try reader.word()
            try #require(types[name] == nil, "\(name) is declared twice")
            types[name] = Declared(type: try reader.type(), comment: comment)
        case "method":
            let name = try reader.word()
            let parameters = try reader.fields()
            try reader.take("->")
            methods.append(
                Method(name: name, parameters: parameters, reply: try reader.fields()))
        case let other: try #require(other == "error", "\(other) declares nothing")
        }
    }

    /// Takes a declaration apart.
    private struct Reader {
        private var tokens: ArraySlice<Substring>

        init(_ text: String) {
            tokens =
                text.matches(of: /->|\[string\]|\[\]|[()?:,]|[A-Za-z][A-Za-z0-9.-]*/)
                .map(\.output)[...]
        }

        mutating func word() throws -> String {
            let first = tokens.popFirst()
            return String(try #require(first, "the declaration ends early"))
        }

        mutating func take(_ token: String) throws { try #require(try word() == token) }

        mutating func fields() throws -> [VarlinkField] {
            guard case .structure(let fields) = try type() else {
                Issue.record("no fields")
                return []
            }
            return fields
        }

        mutating func type() throws -> VarlinkType {
            switch try word() {
            case "bool": return .bool
            case "int": return .int
            case "float": return .float
            case "string": return .string
            case "?": return .optional(try type())
            case "[]": return .array(try type())
            case "[string]": return .map(try type())
            case "(": return try members()
            case let name: return .named(name)
            }
        }

        /// Behind the opening parenthesis: fields, or the words of an enumeration.
        private mutating func members() throws -> VarlinkType {
            var fields: [VarlinkField] = []
            var words: [String] = []
            while tokens.first != ")" {
                let name = try word()
                if tokens.first == ":" {
                    try take(":")
                    fields.append(VarlinkField(name: name, type: try type()))
                } else {
                    words.append(name)
                }
                if tokens.first == "," { try take(",") }
            }
            try take(")")
            return words.isEmpty ? .structure(fields) : .words(words)
        }
    }
}

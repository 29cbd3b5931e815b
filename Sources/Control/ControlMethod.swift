package import JSONValue

/// A method of the agent's interface as one value: its description, the check of access, the answer
/// and the client's call follow from it.
package struct ControlMethod<Parameters: Codable & Sendable, Reply: Codable & Sendable>: Sendable {
    /// The method as the interface describes it.
    package let description: MethodDescription
    private let answer: @Sendable (any ControlAnswers, VarlinkCall) async throws -> JSONValue

    /// A method with one reply.
    init(
        _ description: MethodDescription,
        answer:
            @escaping @Sendable (any ControlAnswers) -> (ControlCall<Parameters>) async throws
            -> Reply
    ) {
        self.description = description
        self.answer = { answers, call in
            try description.reply(await answer(answers)(ControlCall(call)))
        }
    }

    /// A method whose reply is a list, told in parts where one reply does not hold it.
    init<Item>(
        _ description: MethodDescription,
        inParts answer:
            @escaping @Sendable (any ControlAnswers) -> (
                ControlCall<Parameters>, inout ReplyParts<Item>
            ) async throws -> Void
    ) where Reply == [Item] {
        self.description = description
        self.answer = { answers, call in
            var parts = ReplyParts<Item>(call, of: description.reply.name)
            try await answer(answers)(ControlCall(call), &parts)
            return parts.reply
        }
    }

    /// A method that goes on replying until the client goes or the answer ends. Each reply waits
    /// until the client has read the one before.
    init(
        _ description: MethodDescription,
        following answer:
            @escaping @Sendable (any ControlAnswers) -> (
                ControlCall<Parameters>, @escaping @Sendable (Reply) async throws -> Void
            ) async throws -> Reply
    ) {
        self.description = description
        self.answer = { answers, call in
            // Refused before anything is kept for a client that takes one reply only.
            guard call.wantsMore else { throw VarlinkError.expectedMore }
            let parameters = try ControlCall<Parameters>(call)
            let last = try await call.whileConnected {
                try await answer(answers)(parameters) { reply in
                    try await call.send(continuing: description.reply(reply))
                }
            }
            return try description.reply(last)
        }
    }
}

/// A method of the agent's interface, whatever its parameters and its reply are.
package protocol InterfaceMethod<Parameters, Reply>: Sendable {
    associatedtype Parameters: Codable & Sendable
    associatedtype Reply: Codable & Sendable

    /// The method as the interface describes it.
    var description: MethodDescription { get }

    /// The final reply's parameters.
    ///
    /// - Throws: ``VarlinkError`` where the parameters do not fit or the answer is a refusal;
    ///   anything else that the answer runs into.
    func reply(to call: VarlinkCall, by answers: any ControlAnswers) async throws -> JSONValue
}

extension ControlMethod: InterfaceMethod {
    package func reply(
        to call: VarlinkCall, by answers: any ControlAnswers
    ) async throws -> JSONValue {
        try await answer(answers, call)
    }
}

/// A method as the interface's description tells it.
package struct MethodDescription: Sendable {
    /// A line of the description is at most this long, in bytes.
    private static let width = 90

    /// Such as `Status`.
    package let name: String
    let access: PexipFirewallInterface.Access
    /// Names and Varlink's types, in their order.
    package let parameters: KeyValuePairs<String, String>
    /// The only member of each reply, with its Varlink type.
    package let reply: (name: String, type: String)
    /// The method in words; empty where its name says all.
    let comment: String
    /// Declarations of types that no method before this one needs, in Varlink's description
    /// language.
    let types: String

    init(
        _ name: String, for access: PexipFirewallInterface.Access,
        takes parameters: KeyValuePairs<String, String> = [:],
        replies reply: (name: String, type: String), comment: String = "", types: String = ""
    ) {
        self.name = name
        self.access = access
        self.parameters = parameters
        self.reply = reply
        self.comment = comment
        self.types = types
    }

    /// The method's full name.
    package var fullName: String { "\(PexipFirewallInterface.name).\(name)" }

    /// The types and the method in Varlink's description language.
    var text: String {
        let lines = comment.split(separator: "\n").map { "# \($0)" } + [declaration]
        return (types.isEmpty ? "" : types + "\n\n") + lines.joined(separator: "\n")
    }

    private var declaration: String {
        let parameters = parameters.map { "\($0): \($1)" }
        let end = ") -> (\(reply.name): \(reply.type))"
        let line = "method \(name)(\(parameters.joined(separator: ", "))\(end)"
        if line.utf8.count <= Self.width { return line }
        return "method \(name)(\n  \(parameters.joined(separator: ",\n  "))\n\(end)"
    }

    fileprivate func reply(_ value: some Encodable) throws -> JSONValue {
        .object([reply.name: try JSONValue(encoding: value)])
    }
}

/// A call of one of our methods, as whoever answers it sees it.
package struct ControlCall<Parameters: Decodable & Sendable>: Sendable {
    /// As the caller gave them.
    package let parameters: Parameters
    /// Whether root's process made the connection.
    package let isRoots: Bool

    /// - Throws: `InvalidParameter` with the name of the parameter that does not fit.
    fileprivate init(_ call: VarlinkCall) throws {
        parameters = try call.parameters(as: Parameters.self)
        isRoots = call.isRoots
    }
}

extension VarlinkClient {
    /// The reply to a method of the agent's interface.
    ///
    /// - Throws: ``VarlinkClientError``, ``VarlinkError``, and `DecodingError` where another version
    ///   of the agent replies otherwise.
    package func call<Parameters, Reply>(
        _ method: ControlMethod<Parameters, Reply>, _ parameters: Parameters
    ) throws -> Reply {
        try method.description.decoded(
            call(method.description.fullName, JSONValue(encoding: parameters)))
    }

    /// Calls `body` with each reply to a method of the agent's interface, until the last one or until
    /// it returns false; the connection is of no more use then.
    ///
    /// - Parameter replyTimeout: how long each reply may take; nil for ever.
    /// - Throws: ``VarlinkClientError``, ``VarlinkError``, `DecodingError` where another version of
    ///   the agent replies otherwise, and what `body` throws.
    package func callMore<Parameters, Reply>(
        _ method: ControlMethod<Parameters, Reply>, _ parameters: Parameters,
        replyTimeout: Duration? = nil, _ body: (Reply) throws -> Bool
    ) throws {
        try callMore(
            method.description.fullName, JSONValue(encoding: parameters), replyTimeout: replyTimeout
        ) { try body(method.description.decoded($0)) }
    }
}

extension MethodDescription {
    fileprivate func decoded<Reply: Decodable>(_ answer: JSONValue) throws -> Reply {
        try (answer[reply.name] ?? .null).decoded(as: Reply.self)
    }
}

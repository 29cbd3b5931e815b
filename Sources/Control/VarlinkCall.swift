package import JSONValue
package import LinuxSystem

/// One call, as its handler sees it.
package struct VarlinkCall: Sendable {
    /// The method that was called, in full.
    package let method: VarlinkMethod
    /// An object.
    package let parameters: JSONValue
    /// The process that made the connection.
    package let credentials: PeerCredentials
    /// Whether the client takes several replies.
    package let wantsMore: Bool

    private let send: @Sendable (JSONValue) async -> Bool
    private let drain: @Sendable () async -> Bool
    private let disconnection: AsyncStream<Never>

    /// `send` takes continuing replies and returns whether the client is still there; `drain` waits
    /// until the client has taken them; `disconnection` ends when it has gone.
    package init(
        method: VarlinkMethod, parameters: JSONValue = .object([:]), credentials: PeerCredentials,
        wantsMore: Bool = false, disconnection: AsyncStream<Never> = AsyncStream { _ in },
        drain: @escaping @Sendable () async -> Bool = { true },
        send: @escaping @Sendable (JSONValue) async -> Bool = { _ in false }
    ) {
        self.method = method
        self.parameters = parameters
        self.credentials = credentials
        self.wantsMore = wantsMore
        self.disconnection = disconnection
        self.drain = drain
        self.send = send
    }

    /// Whether root's process made the connection.
    package var isRoots: Bool { credentials.uid == 0 }

    /// The method without its interface.
    package var methodName: String { method.name }

    /// The parameters as a type; throws `InvalidParameter` with the name of the one that does not
    /// fit.
    package func parameters<Value: Decodable>(as type: Value.Type) throws -> Value {
        do {
            return try parameters.decoded(as: type)
        } catch let error as DecodingError {
            throw VarlinkError.invalidParameter(error.parameterName)
        }
    }

    /// Sends a reply that others will follow. False where the client has gone: the reply is
    /// dropped, and it is the handler's choice whether to go on.
    ///
    /// Throws `ExpectedMore` where the client takes one reply only.
    @discardableResult
    package func reply(continuing parameters: JSONValue) async throws(VarlinkError) -> Bool {
        guard wantsMore else { throw .expectedMore }
        return await send(parameters)
    }

    /// Waits until no reply waits for the client to read it: for streams that would rather leave
    /// something out than keep it. False where the client has gone.
    package func drained() async -> Bool { await drain() }

    /// Sends a reply that others will follow, and waits until the client has taken it.
    ///
    /// - Throws: `ExpectedMore` where the client takes one reply only; `CancellationError` where it
    ///   has gone.
    func send(continuing parameters: JSONValue) async throws {
        guard try await reply(continuing: parameters), await drained() else {
            throw CancellationError()
        }
    }

    /// Runs what has no purpose without the client, such as waiting for events to send: cancelled
    /// when the client disconnects, and then throws `CancellationError`.
    package func whileConnected<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await _ in disconnection {}
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let result = first else {
                throw CancellationError()
            }
            return result
        }
    }
}

extension DecodingError {
    /// The key at fault, such as `nodes.0.name`.
    fileprivate var parameterName: String {
        let path: [any CodingKey] =
            switch self {
            case .keyNotFound(let key, let context): context.codingPath + [key]
            case .typeMismatch(_, let context), .valueNotFound(_, let context),
                .dataCorrupted(let context):
                context.codingPath
            @unknown default: []
            }
        return path.map(\.stringValue).joined(separator: ".")
    }
}

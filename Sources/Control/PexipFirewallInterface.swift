internal import JSONValue
package import LinuxSystem

/// The agent's own Varlink interface.
package enum PexipFirewallInterface {
    /// The interface's name in Varlink; a promise to clients.
    package static let name = "org.pexipfw.Control"
    /// The socket of the packaged agent.
    package static let defaultSocketPath = "/run/pexip-fw/control"
    /// Members may read; root may do everything.
    package static let readersGroup = "pexip-fw"

    /// The callers that a method admits.
    package enum Access: Hashable, Sendable {
        /// It changes nothing: root and the readers' group.
        case readers
        case root
    }

    /// Each method of each interface that the agent serves, in full. Nobody may call one that is
    /// not here.
    static let access = {
        let own = ControlMethods.all.map { ($0.description.fullName, $0.description.access) }
        let introspection = VarlinkInterface.serviceMethods.map {
            ("\(VarlinkInterface.serviceName).\($0)", Access.readers)
        }
        return Dictionary(uniqueKeysWithValues: own + introspection)
    }()

    /// Whether the process at the other end may call a method.
    ///
    /// - Parameter readers: the readers' group; nil where this host has none.
    package static func allows(
        _ credentials: PeerCredentials, to method: String, readers: UInt32?
    ) -> Bool {
        switch access[method] {
        case nil: false
        case .root: credentials.uid == 0
        case .readers:
            credentials.uid == 0 || readers.map(credentials.isMember(of:)) ?? false
        }
    }

    /// The interface in Varlink's description language, as `GetInterfaceDescription` tells it.
    package static let description =
        ([ControlMethods.heading] + ControlMethods.all.map(\.description.text) + [errors])
        .joined(separator: "\n\n")

    private static let errors = """
        # The question can't be answered; message says why and what to do.
        error Refused (message: string)

        error InternalError ()
        """

    /// The interface, answered by whoever knows.
    ///
    /// - Parameter finish: called after each answer, whatever came of it.
    package static func served(
        by answers: some ControlAnswers, finish: @escaping @Sendable () -> Void
    ) -> VarlinkInterface {
        let methods = Dictionary(
            uniqueKeysWithValues: ControlMethods.all.map { ($0.description.name, $0) })
        return VarlinkInterface(
            name: name, description: description, methods: Set(methods.keys)
        ) { call in
            defer { finish() }
            guard let method = methods[call.methodName] else {
                throw VarlinkError.methodNotFound(call.method.description)
            }
            return try await method.reply(to: call, by: answers)
        }
    }

    /// The interface's error for a question that can't be answered.
    ///
    /// - Parameter message: why, and what to do.
    package static func refusal(_ message: String) -> VarlinkError {
        VarlinkError(name: "\(name).Refused", parameters: .object(["message": .string(message)]))
    }
}

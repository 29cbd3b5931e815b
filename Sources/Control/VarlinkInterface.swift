package import JSONValue

/// One Varlink interface of a service.
package struct VarlinkInterface: Sendable {
    /// Called for methods the description declares, after authorisation. Returns the final reply's
    /// parameters, an object (or null for none). Throws ``VarlinkError``; any other error is logged
    /// and told to the client as `InternalError` of this interface, which the description should
    /// declare.
    ///
    /// Runs beside others, several at once for several clients; it is cancelled when the client that
    /// waits for its reply has gone.
    package typealias Handler = @Sendable (VarlinkCall) async throws -> JSONValue

    static let serviceName = "org.varlink.service"
    /// The methods of `org.varlink.service`.
    static let serviceMethods: Set = ["GetInfo", "GetInterfaceDescription"]

    /// Such as `org.example.Service`.
    package let name: String
    /// The interface in Varlink's interface description language.
    package let description: String
    /// The names of the methods in the description.
    let methods: Set<String>
    let handler: Handler

    /// - Parameter methods: the names of those in the description; others are not found.
    package init(
        name: String, description: String, methods: Set<String>, handler: @escaping Handler
    ) {
        self.name = name
        self.description = description
        self.methods = methods
        self.handler = handler
    }
}

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

    /// Such as `org.example.Service`.
    package let name: String
    /// The interface in Varlink's interface description language.
    package let description: String
    let handler: Handler
    /// The names of the methods in the description.
    let methods: Set<String>

    package init(name: String, description: String, handler: @escaping Handler) {
        self.name = name
        self.description = description
        self.handler = handler
        methods = Self.methods(in: description)
    }

    /// The words after `method` at the beginning of a line.
    private static func methods(in description: String) -> Set<String> {
        var methods: Set<String> = []
        for line in description.split(whereSeparator: \.isNewline) {
            let words = line.split { $0 == " " || $0 == "\t" || $0 == "(" }
            if words.count > 1, words[0] == "method" { methods.insert(String(words[1])) }
        }
        return methods
    }
}

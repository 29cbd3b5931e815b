package import JSONValue

/// An error as it travels: its full name, such as `org.varlink.service.PermissionDenied`, and its
/// parameters, an object. Thrown by handlers, and by the client for what the server answered.
package struct VarlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Its full name, such as `org.varlink.service.PermissionDenied`.
    package let name: String
    /// An object.
    package let parameters: JSONValue

    /// - Parameter parameters: an object.
    package init(name: String, parameters: JSONValue = .object([:])) {
        self.name = name
        self.parameters = parameters
    }

    /// The reason in words for people; nil where only the name tells it.
    package var message: String? { parameters["message"]?.string }

    /// The name, with the parameters as JSON where there are any.
    package var description: String {
        if let members = parameters.object, members.isEmpty { return name }
        return "\(name) \(String(decoding: parameters.serialized, as: UTF8.self))"
    }
}

/// The errors that every Varlink service has.
extension VarlinkError {
    /// The service has no such interface.
    package static func interfaceNotFound(_ interface: String) -> VarlinkError {
        service("InterfaceNotFound", ["interface": .string(interface)])
    }
    /// The interface has no such method.
    package static func methodNotFound(_ method: String) -> VarlinkError {
        service("MethodNotFound", ["method": .string(method)])
    }
    /// The interface describes the method, and the service does not answer it.
    package static func methodNotImplemented(_ method: String) -> VarlinkError {
        service("MethodNotImplemented", ["method": .string(method)])
    }
    /// A parameter is missing or does not fit.
    ///
    /// - Parameter parameter: its name, with those above it, as `nodes.0.name`.
    package static func invalidParameter(_ parameter: String) -> VarlinkError {
        service("InvalidParameter", ["parameter": .string(parameter)])
    }
    /// The process at the other end may not call the method.
    package static var permissionDenied: VarlinkError { service("PermissionDenied", [:]) }
    /// The method replies several times, and the client takes one reply.
    package static var expectedMore: VarlinkError { service("ExpectedMore", [:]) }

    private static func service(_ name: String, _ parameters: JSONObject) -> VarlinkError {
        VarlinkError(
            name: "\(VarlinkInterface.serviceName).\(name)", parameters: .object(parameters))
    }
}

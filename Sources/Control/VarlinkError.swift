package import JSONValue

/// An error as it travels: its full name, such as `org.varlink.service.PermissionDenied`, and its
/// parameters, an object. Thrown by handlers, and by the client for what the server answered.
package struct VarlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    package let name: String
    package let parameters: JSONValue

    package init(name: String, parameters: JSONValue = .object([:])) {
        self.name = name
        self.parameters = parameters
    }

    /// The reason in words for people; nil where only the name tells it.
    package var message: String? { parameters["message"]?.string }

    package var description: String {
        if let members = parameters.object, members.isEmpty { return name }
        return "\(name) \(String(decoding: parameters.serialized, as: UTF8.self))"
    }
}

/// The errors that every Varlink service has.
extension VarlinkError {
    package static func interfaceNotFound(_ interface: String) -> VarlinkError {
        service("InterfaceNotFound", ["interface": .string(interface)])
    }
    package static func methodNotFound(_ method: String) -> VarlinkError {
        service("MethodNotFound", ["method": .string(method)])
    }
    package static func methodNotImplemented(_ method: String) -> VarlinkError {
        service("MethodNotImplemented", ["method": .string(method)])
    }
    package static func invalidParameter(_ parameter: String) -> VarlinkError {
        service("InvalidParameter", ["parameter": .string(parameter)])
    }
    package static var permissionDenied: VarlinkError { service("PermissionDenied", [:]) }
    package static var expectedMore: VarlinkError { service("ExpectedMore", [:]) }

    private static func service(_ name: String, _ parameters: JSONObject) -> VarlinkError {
        VarlinkError(
            name: "\(VarlinkInterface.serviceName).\(name)", parameters: .object(parameters))
    }
}

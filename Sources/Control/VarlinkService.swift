internal import JSONValue
package import LinuxSystem
internal import Logging

/// A service's own name and origin (`org.varlink.service.GetInfo`).
package struct VarlinkIdentity: Hashable, Sendable {
    /// The maker.
    package let vendor: String
    /// The program.
    package let product: String
    /// The program's version.
    package let version: String
    /// Where the program is described.
    package let url: String

    package init(vendor: String, product: String, version: String, url: String) {
        self.vendor = vendor
        self.product = product
        self.version = version
        self.url = url
    }
}

/// Whether the process at the other end may call the method, named in full. Asked for every method,
/// those of `org.varlink.service` too.
package typealias VarlinkAuthorization =
    @Sendable (_ method: String, _ credentials: PeerCredentials) -> Bool

/// A service's answers, apart from any connection.
struct VarlinkService: Sendable {
    let identity: VarlinkIdentity
    /// In the order of GetInfo; the first is `org.varlink.service`.
    let interfaces: [VarlinkInterface]
    let authorize: VarlinkAuthorization
    let logger: Logger

    init(
        identity: VarlinkIdentity, interfaces: [VarlinkInterface],
        authorize: @escaping VarlinkAuthorization, logger: Logger
    ) {
        self.identity = identity
        self.authorize = authorize
        self.logger = logger
        self.interfaces = [.service(identity, interfaces)] + interfaces
    }

    /// The final reply; never throws, whatever the handler does.
    func reply(to call: VarlinkCall, upgrade: Bool) async -> VarlinkReply {
        do throws(VarlinkError) {
            let interface = try interface(of: call.method)
            guard authorize(call.method.description, call.credentials) else {
                throw .permissionDenied
            }
            // There is no other protocol to change to.
            if upgrade { throw .invalidParameter("upgrade") }
            return VarlinkReply(parameters: try await result(of: call, from: interface))
        } catch {
            return VarlinkReply(error)
        }
    }

    private func result(
        of call: VarlinkCall, from interface: VarlinkInterface
    ) async throws(VarlinkError) -> JSONValue {
        do {
            switch try await interface.handler(call) {
            case .null: return .object([:])
            case .object(let members): return .object(members)
            default: throw VarlinkViolation(description: "the handler's result is no object")
            }
        } catch let error as VarlinkError {
            throw error
        } catch {
            // Cancelled is what was done for a client that has gone.
            logger.log(
                level: error is CancellationError ? .debug : .error, "call failed",
                metadata: ["method": "\(call.method)", "error": "\(error)"])
            throw VarlinkError(name: "\(interface.name).InternalError")
        }
    }

    private func interface(of method: VarlinkMethod) throws(VarlinkError) -> VarlinkInterface {
        guard let interface = interfaces.first(where: { $0.name == method.interface }) else {
            throw .interfaceNotFound(method.interface)
        }
        guard interface.methods.contains(method.name) else {
            throw .methodNotFound(method.description)
        }
        return interface
    }
}

extension VarlinkInterface {
    /// `org.varlink.service`, for a service with these interfaces besides it.
    fileprivate static func service(
        _ identity: VarlinkIdentity, _ interfaces: [VarlinkInterface]
    ) -> VarlinkInterface {
        var descriptions = [serviceName: serviceDescription]
        for interface in interfaces { descriptions[interface.name] = interface.description }
        let names = [serviceName] + interfaces.map(\.name)
        let described = descriptions
        return VarlinkInterface(
            name: serviceName, description: serviceDescription, methods: serviceMethods
        ) { call in
            switch call.methodName {
            case "GetInfo":
                return .object([
                    "vendor": .string(identity.vendor), "product": .string(identity.product),
                    "version": .string(identity.version), "url": .string(identity.url),
                    "interfaces": .array(names.map { .string($0) }),
                ])
            case "GetInterfaceDescription":
                guard let name = call.parameters["interface"]?.string.flatMap(VarlinkMethod.init)
                else { throw VarlinkError.invalidParameter("interface") }
                guard let description = described[name.description] else {
                    throw VarlinkError.interfaceNotFound(name.description)
                }
                return .object(["description": .string(description)])
            default: throw VarlinkError.methodNotImplemented(call.method.description)
            }
        }
    }

    /// As published at varlink.org.
    private static let serviceDescription = """
        # The Varlink Service Interface is provided by every varlink service. It
        # describes the service and the interfaces it implements.
        interface org.varlink.service

        # Get a list of all the interfaces a service provides and information
        # about the implementation.
        method GetInfo() -> (
          vendor: string,
          product: string,
          version: string,
          url: string,
          interfaces: []string
        )

        # Get the description of an interface that is implemented by this service.
        method GetInterfaceDescription(interface: string) -> (description: string)

        # The requested interface was not found.
        error InterfaceNotFound (interface: string)

        # The requested method was not found
        error MethodNotFound (method: string)

        # The interface defines the requested method, but the service does not
        # implement it.
        error MethodNotImplemented (method: string)

        # One of the passed parameters is invalid.
        error InvalidParameter (parameter: string)

        # Client is denied access
        error PermissionDenied ()

        # Method is expected to be called with 'more' set to true, but wasn't
        error ExpectedMore ()

        """
}

internal import JSONValue

/// A call as it travels.
struct VarlinkRequest: Equatable {
    let method: VarlinkMethod
    var parameters: JSONValue = .object([:])
    /// The client takes several replies.
    var more = false
    /// The client wants no reply.
    var oneway = false
    /// The client wants to speak another protocol afterwards.
    var upgrade = false
}

/// A reply as it travels: `error` and its parameters, or the result.
struct VarlinkReply: Equatable {
    var parameters: JSONValue = .object([:])
    var continues = false
    var error: String?
}

/// A message which is no Varlink message; the connection it came from is useless then.
struct VarlinkViolation: Error, CustomStringConvertible {
    let description: String
}

extension VarlinkRequest {
    init(parsing message: [UInt8]) throws(VarlinkViolation) {
        let members = try Members(parsing: message)
        guard let name = members["method"]?.string else {
            throw VarlinkViolation(description: "no method")
        }
        guard let method = VarlinkMethod(name) else {
            throw VarlinkViolation(description: "method is no method's name")
        }
        self.method = method
        parameters = try members.parameters()
        more = try members.flag("more")
        oneway = try members.flag("oneway")
        upgrade = try members.flag("upgrade")
        if oneway && (more || upgrade) {
            throw VarlinkViolation(description: "oneway together with more or upgrade")
        }
    }

    var serialized: [UInt8] {
        var members: JSONObject = [
            "method": .string(method.description), "parameters": parameters,
        ]
        if more { members["more"] = .bool(true) }
        if oneway { members["oneway"] = .bool(true) }
        if upgrade { members["upgrade"] = .bool(true) }
        return JSONValue.object(members).serialized
    }
}

extension VarlinkReply {
    init(_ error: VarlinkError) {
        parameters = error.parameters
        self.error = error.name
    }

    init(parsing message: [UInt8]) throws(VarlinkViolation) {
        let members = try Members(parsing: message)
        parameters = try members.parameters()
        continues = try members.flag("continues")
        switch members["error"] {
        case nil, .null: error = nil
        case .string(let name): error = name
        default: throw VarlinkViolation(description: "error is no string")
        }
    }

    var serialized: [UInt8] {
        var members: JSONObject = ["parameters": parameters]
        if continues { members["continues"] = .bool(true) }
        if let error { members["error"] = .string(error) }
        return JSONValue.object(members).serialized
    }
}

/// The members of a message. Unknown ones are left alone; null is as good as absent.
private struct Members {
    private let members: JSONObject

    init(parsing message: [UInt8]) throws(VarlinkViolation) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: message)
        } catch {
            throw VarlinkViolation(description: "not JSON: \(error)")
        }
        guard let members = value.object else {
            throw VarlinkViolation(description: "not an object")
        }
        self.members = members
    }

    subscript(_ name: String) -> JSONValue? { members[name] }

    func flag(_ name: String) throws(VarlinkViolation) -> Bool {
        switch members[name] {
        case nil, .null: return false
        case .bool(let value): return value
        default: throw VarlinkViolation(description: "\(name) is no boolean")
        }
    }

    func parameters() throws(VarlinkViolation) -> JSONValue {
        switch members["parameters"] {
        case nil, .null: return .object([:])
        case .object(let parameters): return .object(parameters)
        default: throw VarlinkViolation(description: "parameters are no object")
        }
    }
}

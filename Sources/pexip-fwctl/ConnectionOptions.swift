import ArgumentParser
import Control
import JSONValue

/// Where the agent is, and how to speak with it.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "The agent's control socket.", completion: .file())
    var socket = PexipFirewallInterface.defaultSocketPath

    /// Calls a method of the agent's interface.
    ///
    /// - Parameter member: the member of the answer that holds the result; nil for the whole answer.
    /// - Parameter isQuiet: nothing is said of how long it takes.
    /// - Throws: ``Failure`` in words for people.
    func call<Result: Decodable>(
        _ method: String, _ parameters: JSONObject = [:], member: String? = nil,
        isQuiet: Bool = false, as type: Result.Type
    ) throws -> Result {
        try inWords {
            let progress = isQuiet ? nil : Progress("waiting for the agent")
            defer { progress?.end() }
            let client = try VarlinkClient(path: socket)
            let answer = try client.call(
                "\(PexipFirewallInterface.name).\(method)", .object(parameters))
            return try (member.map { answer[$0] ?? .null } ?? answer).decoded(as: type)
        }
    }

    /// Calls a method that answers several times, until the last answer or until `body` returns
    /// false.
    ///
    /// - Throws: ``Failure`` in words for people, and what `body` throws.
    ///
    /// - Parameters:
    ///   - member: the member of each answer that holds the result; nil for the whole answer.
    ///   - timeout: how long each answer may take; nil for ever.
    func follow<Result: Decodable>(
        _ method: String, _ parameters: JSONObject = [:], member: String? = nil,
        within timeout: Duration? = nil, as type: Result.Type, _ body: (Result) throws -> Bool
    ) throws {
        try inWords {
            let client = try VarlinkClient(path: socket)
            try client.callMore(
                "\(PexipFirewallInterface.name).\(method)", .object(parameters),
                replyTimeout: timeout
            ) { answer in
                try body((member.map { answer[$0] ?? .null } ?? answer).decoded(as: type))
            }
        }
    }

    /// Calls a method that answers with a list, in as many parts as it takes.
    func collect<Part: Decodable, Item>(
        _ method: String, _ parameters: JSONObject = [:], as type: Part.Type,
        _ items: (Part) -> [Item]
    ) throws -> [Item] {
        let progress = Progress("waiting for the agent")
        defer { progress.end() }
        var found: [Item] = []
        try follow(method, parameters, within: .seconds(30), as: type) { part in
            found += items(part)
            return true
        }
        return found
    }

    private func inWords<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as VarlinkClientError {
            throw Failure(error)
        } catch let error as VarlinkError {
            throw Failure(error)
        } catch let error as DecodingError {
            throw Failure(
                .failure, "the agent answers in another version's words (\(error)): restart it")
        }
    }
}

/// An end that is not success: printed to standard error, with an exit status that scripts can tell
/// apart.
struct Failure: Error, CustomStringConvertible {
    enum Status: Int32 {
        case failure = 1
        case notRunning = 3
        case notPermitted = 4
    }

    let status: Status
    let description: String

    init(_ status: Status, _ description: String) {
        self.status = status
        self.description = description
    }

    init(_ error: VarlinkClientError) {
        switch error {
        case .notRunning(let path):
            self.init(
                .notRunning,
                "the agent is not running (nothing listens at \(path)): start it with systemctl start pexip-fw; the rules in the kernel are as it left them"
            )
        case .permissionDenied(let path):
            self.init(
                .notPermitted,
                "not permitted to connect to \(path): run this as root, or as a member of the group \(PexipFirewallInterface.readersGroup) to look only"
            )
        case .timeout, .protocolError, .system:
            self.init(.failure, "the agent does not answer: \(error)")
        }
    }

    init(_ error: VarlinkError) {
        if error.name == VarlinkError.permissionDenied.name {
            self.init(
                .notPermitted,
                "only root may do this; members of the group \(PexipFirewallInterface.readersGroup) may look"
            )
        } else if let message = error.parameters["message"]?.string {
            self.init(.failure, message)
        } else {
            self.init(.failure, "the agent refuses: \(error)")
        }
    }
}

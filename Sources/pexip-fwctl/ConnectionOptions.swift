import ArgumentParser
import Control
import Display

/// Where the agent is, and how to speak with it.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "The agent's control socket.", completion: .file())
    var socket = PexipFirewallInterface.defaultSocketPath

    /// The agent's reply to a method.
    ///
    /// - Parameter isQuiet: nothing is said of how long it takes.
    /// - Throws: ``Failure`` in words for people.
    func call<Parameters, Reply>(
        _ method: ControlMethod<Parameters, Reply>, _ parameters: Parameters,
        isQuiet: Bool = false
    ) throws -> Reply {
        try inWords {
            let progress = isQuiet ? nil : Progress("waiting for the agent")
            defer { progress?.end() }
            return try VarlinkClient(path: socket).call(method, parameters)
        }
    }

    /// The agent's reply to a method that takes no parameters.
    func call<Reply>(
        _ method: ControlMethod<NoParameters, Reply>, isQuiet: Bool = false
    ) throws -> Reply {
        try call(method, NoParameters(), isQuiet: isQuiet)
    }

    /// Calls a method that replies several times, until the last reply or until `body` returns
    /// false.
    ///
    /// - Parameter timeout: how long each reply may take; nil for ever.
    /// - Throws: ``Failure`` in words for people, and what `body` throws.
    func follow<Parameters, Reply>(
        _ method: ControlMethod<Parameters, Reply>, _ parameters: Parameters,
        within timeout: Duration? = nil, _ body: (Reply) throws -> Bool
    ) throws {
        try inWords {
            try VarlinkClient(path: socket).callMore(
                method, parameters, replyTimeout: timeout, body)
        }
    }

    /// The list that a method replies with, in as many parts as it takes.
    ///
    /// - Throws: ``Failure`` in words for people.
    func collect<Parameters, Item>(
        _ method: ControlMethod<Parameters, [Item]>, _ parameters: Parameters
    ) throws -> [Item] {
        let progress = Progress("waiting for the agent")
        defer { progress.end() }
        var items: [Item] = []
        try follow(method, parameters, within: .seconds(30)) { part in
            items += part
            return true
        }
        return items
    }

    private func inWords<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as VarlinkClientError {
            throw Failure(error)
        } catch let error as VarlinkError {
            throw Failure(error)
        } catch let error as DecodingError {
            throw Failure(.failure, .unreadable("\(error)"))
        }
    }
}

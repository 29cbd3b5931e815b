internal import Deployment
internal import Logging
internal import PortModel
internal import Ruleset

/// What became of the flows that the generation in force does not permit.
struct Revocation: Hashable, Sendable {
    /// How many were ended; nil where none was looked for.
    var ended: Int?
    /// Why some of them go on, for which it is to be tried again.
    var problem: String?
}

/// Ends established flows that a generation does not permit: its rules would let them go on, since
/// they accept what is established.
struct Revoker: Sendable {
    /// As many are held at once, which bounds the memory that a full table takes.
    static let held = 16_384
    /// Far more than any table holds.
    private static let rounds = 1_024

    let kernel: any RulesetKernel
    /// This host's own addresses now.
    let hostAddresses: @Sendable () throws -> Set<IPAddress>
    let log: Logger

    /// Ends what the generation, which the kernel holds, does not permit; nothing where it only
    /// observes or the site wants established flows to go on.
    func carryOut(_ generation: Generation?) async -> Revocation {
        guard let generation, generation.revokesEstablished, generation.mode == .enforce else {
            return Revocation()
        }
        var ended = 0
        var isComplete = false
        do {
            let judge = FlowJudge(generation, hostAddresses: try hostAddresses())
            for _ in 0..<Self.rounds where !isComplete {
                let flows = try await kernel.flows(touching: judge.addresses, atMost: Self.held) {
                    judge.refuses($0)
                }
                isComplete = flows.count < Self.held
                let result = try await kernel.end(flows)
                ended += result.count
                if let failure = result.failure {
                    return failed(
                        "\(result.left.counted("flow")) can't be ended, first \(failure)", ended,
                        generation)
                }
            }
        } catch {
            return failed("\(error)", ended, generation)
        }
        guard isComplete else { return failed("there are always more", ended, generation) }
        if ended > 0 {
            log.notice(
                "ended \(ended.counted("established flow")) that the generation does not permit",
                metadata: ["generation": "\(generation.number)"])
        }
        return Revocation(ended: ended)
    }

    private func failed(_ reason: String, _ ended: Int, _ generation: Generation) -> Revocation {
        let problem =
            "established flows that generation \(generation.number) does not permit may go on: \(reason)"
        log.error("\(problem)", metadata: ["generation": "\(generation.number)"])
        return Revocation(ended: ended, problem: problem)
    }
}

/// Why the agent ends by itself.
struct AgentFailure: Error, CustomStringConvertible {
    let description: String
}

/// The agent's work beside taking up changes, which may take long: looks at the kernel, and repairs
/// it.
enum AgentCheck: Sendable {
    /// ``HeardChanges`` holds something.
    case ruleset
    /// Compare the kernel with the generation in force.
    case check
    /// The service manager's, through both queues, so that an agent that hangs is noticed.
    case watchdog
}

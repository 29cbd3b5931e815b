/// The agent's own Varlink interface.
package enum PexipFirewallInterface {
    package static let name = "org.pexipfw.Control"
    package static let defaultSocketPath = "/run/pexip-fw/control"
    /// Members may read; root may do everything.
    package static let readersGroup = "pexip-fw"

    /// The interface in Varlink's description language, as `GetInterfaceDescription` tells it.
    package static let description = """
        # The pexip-fw agent: what is in force, and how to change it.
        # Times are RFC 3339 in UTC. Root may call everything; members of the group pexip-fw may
        # call Status, Rules and Generations.
        interface org.pexipfw.Control

        type Location (file: string, line: int, column: int)

        # Of the configuration as it was read last.
        type Diagnostic (severity: (error, warning), location: ?Location, message: string)

        type Node (
          name: string,
          role: (management, conferencing),
          addresses: []string,
          table: string,
          policyClass: ?string,
          rows: int
        )

        type Counter (packets: int, bytes: int)

        # dropped is what was refused to and from the node.
        type NodeStatus (node: Node, dropped: Counter)

        # A change of our tables that did not come from the agent.
        type DriftOccurrence (time: string, process: string, pid: ?int, differences: []string)

        type Drift (count: int, last: ?DriftOccurrence)

        type Agent (version: string, pid: int, started: string)

        # counters are named by row, by site rule or by reason for dropping; warnings tell what was
        # seen in the kernel that needs an administrator; state is one of in-sync, pinned, rejected, degraded,
        # unconfigured, flushed.
        type StatusReport (
          state: string,
          generation: ?int,
          confirmedGeneration: ?int,
          generationCreated: ?string,
          generationOrigin: ?string,
          nodes: []NodeStatus,
          counters: [string]Counter,
          warnings: []string,
          diagnostics: []Diagnostic,
          problem: ?string,
          drift: Drift,
          agent: Agent
        )

        type RowChange (kind: (opened, closed, changed), table: string, row: string)

        # outcome is one of unchanged, applied, would-apply, rejected, failed.
        type Report (
          outcome: string,
          generation: ?int,
          changes: []RowChange,
          diagnostics: []Diagnostic,
          problem: ?string
        )

        type Table (name: string, text: string)

        type Generation (number: int, created: string, origin: string, nodes: []string)

        method Status() -> (status: StatusReport)

        # The tables in force, in nft's language.
        method Rules() -> (tables: []Table)

        # What is stored and can be rolled back to, oldest first.
        method Generations() -> (generations: []Generation)

        # Loads the configuration now; a dry run says what would change and changes nothing.
        method Apply(dryRun: ?bool) -> (report: Report)

        # Puts an older generation in force, by default the one before, until the configuration
        # changes or Apply is called.
        method Rollback(generation: ?int) -> (report: Report)

        # Takes our tables away: nothing is enforced until the configuration changes or Apply or
        # Rollback is called.
        method Flush() -> (report: Report)

        error InternalError (message: string)
        """
}

/// Bounds on what a configuration may hold: far above the largest deployment, and low enough for a
/// privileged process that anything can be put before.
package enum ConfigurationLimits {
    /// Files of the directory that are read as configuration.
    package static let files = 1_000
    /// Of one file: 1 MiB.
    package static let bytesOfFile = 1 << 20
    /// Of all files together: 16 MiB.
    package static let bytesOfAllFiles = 16 << 20
    /// Mappings and sequences in one another. The configuration's own keys need six.
    package static let depth = 16
    /// Keys, scalars, sequences and mappings of all files: 10,000 nodes with 50 each.
    package static let yamlNodes = 500_000
    /// Address ranges that all uses of groups add up to. One group that is used alone is shared.
    package static let expandedRanges = 2_000_000
    /// Ports that a row can be given in place of the documented ones, for each node.
    package static let portsOfRow = 64
    /// Pairs of a range of source ports and one of destination ports of one rule, each of which
    /// becomes a rule of its own in the kernel.
    package static let portPairsOfRule = 1_024
    /// Such pairs of all rules, each for every node that its rule is for: 1,000 nodes with 100 rules
    /// of one port for all of them.
    package static let portPairsOfNodes = 100_000
    /// Diagnostics that are kept; the others are counted.
    package static let diagnostics = 10_000
}

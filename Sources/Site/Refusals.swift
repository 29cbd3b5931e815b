/// Whether rules hand samples of refused packets to the agent, so that it can tell which senders
/// are refused most.
package struct Refusals: Hashable, Sendable {
    /// Those that nobody forbids: programs take group 0 by themselves.
    package static let groups: ClosedRange<Int> = 1...Int(UInt16.max)
    /// More than this tells nothing more.
    package static let rates: ClosedRange<Int> = 1...1_000

    /// `refusals.sample`: whether the agent is handed samples at all.
    package var isSampled = false
    /// The nflog group that the samples go by.
    package var group: UInt16 = 5001
    /// Samples a second by each rule that refuses, of which as many may come at once.
    package var rate: UInt32 = 20

    /// The values of a configuration without `refusals`.
    package init() {}
}

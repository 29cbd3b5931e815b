/// Whether rules hand samples of refused packets to the agent, so that it can tell who is refused
/// most.
package struct Refusals: Hashable, Sendable {
    /// Those that nobody forbids: programs take group 0 by themselves.
    package static let groups: ClosedRange<Int> = 1...Int(UInt16.max)
    /// More than this tells nothing more.
    package static let rates: ClosedRange<Int> = 1...1_000

    package var isSampled = false
    /// The nflog group that the samples go by.
    package var group: UInt16 = 5001
    /// Samples a second by each rule that refuses, of which as many may come at once.
    package var rate: UInt32 = 20

    package init() {}
}

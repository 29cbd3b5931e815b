/// Why something could not be put in force, and what is in force instead.
struct ApplyFailure: Error, CustomStringConvertible {
    let description: String
    /// The same configuration is not to be tried again by itself.
    let isHeld: Bool
    /// The kernel took everything, and then held something else: somebody may have changed it before
    /// it was read back.
    let mayBeForeign: Bool
    /// The kernel was asked and did not take it: something else it may take.
    let isRefusal: Bool

    init(
        _ description: String, isHeld: Bool = false, mayBeForeign: Bool = false,
        isRefusal: Bool = false
    ) {
        self.description = description
        self.isHeld = isHeld
        self.mayBeForeign = mayBeForeign
        self.isRefusal = isRefusal
    }
}

extension Reconciler {
    /// How `apply` was said.
    package struct ApplyRequest: Hashable, Sendable {
        /// The time to confirm in; nil to put the configuration in force for good.
        package var confirm: Duration?
        /// Neither the operator's session nor probes are looked after.
        package var isForced: Bool
        /// The SSH session that it was typed in.
        package var session: OperatorSession?
        /// The report is to say how the tables differ.
        package var wantsTables: Bool

        package init(
            confirm: Duration? = nil, isForced: Bool = false, session: OperatorSession? = nil,
            wantsTables: Bool = false
        ) {
            self.confirm = confirm
            self.isForced = isForced
            self.session = session
            self.wantsTables = wantsTables
        }
    }
}

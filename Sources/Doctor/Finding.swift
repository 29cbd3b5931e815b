/// The result of looking at one thing on this host.
package struct Finding: Hashable, Sendable, Codable {
    /// Whether something is to be done about it.
    package enum Severity: String, Hashable, Sendable, Codable {
        /// The product, or its protection, does not work as it should.
        case problem
        /// It works, but bites under load, or where something else goes wrong.
        case hint
        /// It could not be looked at; `what` says why.
        case unknown
        /// It was looked at and is fine.
        case ok
    }

    /// The things that are looked at. The raw values are part of the report's JSON.
    package enum Check: String, Hashable, Sendable, CaseIterable, Codable {
        case outboundPorts = "outbound-ports"
        case connectionTracking = "connection-tracking"
        case trackingHelpers = "tracking-helpers"
        case reversePath = "reverse-path"
        case forwarding
        case bridges
        case routes
        case kernel
        case otherFirewalls = "other-firewalls"
    }

    /// Whether something is to be done about it.
    package var severity: Severity
    /// The thing that was looked at.
    package var check: Check
    /// The finding, in a sentence without its end.
    package var what: String
    /// The consequence for calls and administrators; nil where nothing is wrong.
    package var why: String?
    /// The remedy; nil where no command can put it right.
    package var mend: Mend?
    /// The ids of the rows that it concerns, in the documentation's order.
    package var rows: [String]

    package init(
        _ severity: Severity, _ check: Check, _ what: String, why: String? = nil,
        mend: Mend? = nil, rows: [String] = []
    ) {
        self.severity = severity
        self.check = check
        self.what = what
        self.why = why
        self.mend = mend
        self.rows = rows
    }
}

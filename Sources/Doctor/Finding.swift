/// What came of looking at one thing on this host.
package struct Finding: Hashable, Sendable, Codable {
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

    /// What is looked at.
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

    package var severity: Severity
    package var check: Check
    /// What was found, in a sentence without its end.
    package var what: String
    /// What it means for calls and administrators; nil where nothing is wrong.
    package var why: String?
    /// What puts it right; nil where no command can.
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

/// How to put something right, as commands for root's shell.
package struct Mend: Hashable, Sendable, Codable {
    /// Puts it right now. Words in capitals are to be filled in.
    package var command: String
    /// Keeps it right after a restart of the host: a command too, or what to do in words; nil where
    /// `command` lasts.
    package var permanently: String?

    package init(_ command: String, permanently: String? = nil) {
        self.command = command
        self.permanently = permanently
    }
}
